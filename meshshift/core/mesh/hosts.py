"""Which service a host in an Istio document means.

Istio expands a host that has no dot in the namespace of *the document that says it*, and takes every other host as
written: `reviews.prod` is not `reviews.prod.svc.cluster.local`.  Two documents that say `reviews` may therefore mean
two services, and comparing the words instead of the resolved names would move somebody else's traffic.

Sources: `ResolveShortnameToFQDN` in istio/istio `pkg/config/model.go`, `Name.SubsetOf` and `MoreSpecific` in
`pkg/config/host`.
"""


def resolve_host(host: str, namespace: str, cluster_domain: str) -> str:
    """The fully qualified name that Istio reads in `host`, written in a document of `namespace`.

    The wildcard `*`, IP addresses and hosts with any dot stay as they are.  DNS compares without case and without the
    root's trailing dot, so the result has neither; the dot is looked for before it is cut off, as Istio would see it.
    """
    lowered = host.lower()
    if not lowered or lowered == "*" or "." in lowered or ":" in lowered:
        return lowered.removesuffix(".")
    return f"{lowered}.{namespace}.svc.{cluster_domain}".lower().removesuffix(".")


def is_wildcard(host: str) -> bool:
    """Does it stand for every host with its end?  Only a `*` in front does."""
    return host.startswith("*")


def covers(pattern: str, host: str) -> bool:
    """Is `host` (which may be a wildcard itself) one of those that `pattern` stands for?"""
    return pattern == host or (is_wildcard(pattern) and host.removeprefix("*").endswith(pattern[1:]))


def specificity(host: str) -> tuple[bool, int]:
    """Greater for a host that Istio takes before another one that matches, too: names before wildcards, then length."""
    return not is_wildcard(host), len(host)
