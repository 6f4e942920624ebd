"""VirtualServices as people write them, around one pair whose traffic is shifted: by hand, and at random."""

from copy import deepcopy
from typing import Any

import jsonpatch
from hypothesis import strategies as st

from meshshift.core.mesh.documents import Document, Patch, Target

TARGET = Target(service="reviews", namespace="bookinfo", stable="v1", canary="v2")
OUR_HOSTS = ("reviews", "reviews.bookinfo.svc.cluster.local", "Reviews.bookinfo.svc.cluster.local")
FOREIGN = (
    {"host": "ratings", "subset": "v1"},
    {"host": "reviews", "subset": "v3"},
    {"host": "reviews"},
    {"host": "reviews.bookinfo", "subset": "v1"},
    {"host": "reviews.staging.svc.cluster.local", "subset": "v2"},
)
SETTINGS: tuple[dict[str, Any], ...] = (
    {},
    {"timeout": "2s", "retries": {"attempts": 3}},
    {"mirror": {"host": "reviews", "subset": "v2"}, "mirrorPercentage": {"value": 5.5}},
    {"headers": {"request": {"set": {"x/y~z": "1"}}}, "corsPolicy": {"allowOrigins": [{"exact": "*"}]}},
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def to(subset: str | None = None, weight: int | None = None, host: str = "reviews", **more: Any) -> dict[str, Any]:
    """One destination entry, with the parts that are given."""
    destination = {"host": host} if subset is None else {"host": host, "subset": subset}
    return {"destination": destination, **({} if weight is None else {"weight": weight}), **more}


def virtual_service(*http: dict[str, Any], name: str = "reviews", namespace: str = "bookinfo", **spec: Any) -> Document:
    """A stored VirtualService for `reviews` with these http routes."""
    return {
        "metadata": {"name": name, "namespace": namespace, "resourceVersion": "1"},
        "spec": {"hosts": ["reviews"], "http": list(http), **spec},
    }


def is_ours(entry: dict[str, Any]) -> bool:
    """The test's own answer to whose entry it is, by the words that these strategies use."""
    return entry["destination"]["host"] in OUR_HOSTS and entry["destination"].get("subset") in ("v1", "v2")


@st.composite
def destination_lists(draw: st.DrawFn, whole: st.SearchStrategy[int]) -> list[dict[str, Any]]:
    """Stable, perhaps the canary, perhaps others, in any order; weights add up to a number drawn from `whole`."""
    host = draw(st.sampled_from(OUR_HOSTS))
    port: dict[str, Any] = draw(st.sampled_from(({}, {"port": {"number": 9080}})))
    entries: list[dict[str, Any]] = [{"destination": {"host": host, "subset": "v1", **port}}]
    if draw(st.booleans()):
        entries.append({"destination": {"host": host, "subset": "v2", **port}})
    entries += [{"destination": dict(each)} for each in draw(st.lists(st.sampled_from(FOREIGN), max_size=2))]
    total = draw(whole)
    cuts = sorted(draw(st.lists(st.integers(0, total), min_size=len(entries) - 1, max_size=len(entries) - 1)))
    for entry, start, end in zip(entries, [0, *cuts], [*cuts, total], strict=True):
        if end - start or draw(st.booleans()):
            entry["weight"] = end - start
    if len(entries) == 1 and draw(st.booleans()):
        entries[0].pop("weight", None)
    return draw(st.permutations(entries))


@st.composite
def http_routes(draw: st.DrawFn, whole: st.SearchStrategy[int]) -> dict[str, Any]:
    """A route of the pair, or one that is none of its business."""
    other = (
        {"redirect": {"uri": "/"}},
        {"route": [{"destination": {"host": "ratings", "subset": "v1"}}]},
        {
            "match": [{"headers": {"x-canary": {"exact": "1"}}}],
            "route": [{"destination": {"host": "reviews", "subset": "v2"}}],
        },
        {"delegate": {"name": "elsewhere"}},
    )
    if draw(st.integers(0, 3)) == 0:
        return deepcopy(draw(st.sampled_from(other)))
    route: dict[str, Any] = {"route": draw(destination_lists(whole)), **deepcopy(draw(st.sampled_from(SETTINGS)))}
    if draw(st.booleans()):
        route["name"] = draw(st.sampled_from(("default", "a/b", "c~d")))
    if draw(st.booleans()):
        route["match"] = [{"uri": {"prefix": "/api"}}]
    return route


@st.composite
def virtual_services(draw: st.DrawFn, whole: st.SearchStrategy[int] | None = None) -> Document:
    """A stored VirtualService of the service's namespace; each route's weights add up to `whole` (any, by default)."""
    weights = whole if whole is not None else st.sampled_from((100, 100, 1, 3, 7, 60, 99, 101, 1000))
    spec: dict[str, Any] = {"hosts": ["reviews"], "http": draw(st.lists(http_routes(weights), min_size=1, max_size=3))}
    if draw(st.booleans()):
        spec["tcp"] = [{"match": [{"port": 9000}], "route": draw(destination_lists(weights))}]
    if draw(st.booleans()):
        spec["tls"] = [{"match": [{"sniHosts": ["reviews"]}], "route": draw(destination_lists(weights))}]
    metadata = {
        "name": draw(st.sampled_from(("reviews", "shop"))),
        "namespace": "bookinfo",
        "resourceVersion": str(draw(st.integers(1, 10**9))),
        "annotations": {"example.com/owner": "team-a"},
    }
    return {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": metadata, "spec": spec}


def applied(document: Document, patches: tuple[Patch, ...]) -> Document:
    """The document after its patch, as the API server would store it (with the version left as it was)."""
    for patch in patches:
        document = jsonpatch.apply_patch(document, [dict(each) for each in patch.operations])
    return document
