"""From a Service that has opted in to one whose traffic follows a subset: nobody gets other pods than before.

Make before break.  First a DestinationRule has the subset of the version that serves; it settles; only then does a
VirtualService name it.  What exists is taken as it is, and only what is missing is added: a rule, a subset, a
VirtualService, or the subset on destinations that have none.  Each of them is one write that changes nobody's traffic,
so it does not matter after which of them the process dies.

Where it cannot be seen who serves, where something that exists would be replaced or hidden, or where some callers would
not find the subset, nothing is written and the Service's Event says why.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from meshshift.core.decision import Creation
from meshshift.core.enrolment.serving import covering, pin_patches, serving
from meshshift.core.enrolment.versions import subset_name, subset_of
from meshshift.core.enrolment.view import Act, Standing, View, is_owned_by, wait, warn, write
from meshshift.core.mesh.creation import new_destination_rule, new_virtual_service
from meshshift.core.mesh.documents import (
    Patch,
    Problem,
    Reason,
    listing,
    member,
    operation,
    pointer,
    ref_of,
    resource_version,
    shown,
    unmoved,
)
from meshshift.core.mesh.ports import ports_of
from meshshift.core.mesh.rule_lookup import hidden_subset
from meshshift.core.mesh.subsets import add_subset_patch, find_rule, joined_labels, listed_subsets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshshift.core.enrolment.serving import Serving
    from meshshift.core.enrolment.versions import Version

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Serves:
    """Who serves: a subset, its labels, and the version that it selects, None if none of its pods is there.

    `beside` is another subset that gets a part of the traffic, by somebody else's doing.
    """

    subset: str
    labels: Mapping[str, str]
    version: Version | None
    beside: str = ""


def adopt(view: View) -> Serves | Act:
    """Who serves, once the mesh says so; until then the next write on the way there, or what is in the way."""
    said = serving(view.virtual_services, view.target)
    if isinstance(said, Problem):
        return warn(said.reason, said.message)
    server = _server(view, said)
    if isinstance(server, Act):
        return server
    if said.is_spread:
        act = rule_with(view, server) or _settling(view) or _pin(view, said, server)
        return act or _speak(view, said, server)
    return _exposed(view) or server


def _server(view: View, said: Serving) -> Serves | Act:
    """Who serves by the word of the mesh, or by its ready pods where the mesh has none."""
    if said.spoken and not (said.subsets or said.spread):
        host = view.target.host
        return warn("NotRouted", f"a VirtualService speaks for {host} and sends nothing to it: nothing can be shifted")
    if len(said.subsets) > 1:
        return _several_weighted(view, said)
    if not said.subsets:
        return _by_pods(view)
    named = _of_subset(view, said.subsets[0])
    if isinstance(named, Act) or not said.is_spread:
        return named
    spread = _by_pods(view)
    if isinstance(spread, Act) or spread.version == named.version:
        return spread if isinstance(spread, Act) else named
    return warn(
        "SeveralServe",
        f"some routes send to subset {named.subset}, the others to all pods, which are of {spread.subset}; give every "
        "destination of the service a subset",
    )


def _of_subset(view: View, subset: str) -> Serves | Act:
    labels = joined_labels(view.rules, view.target, subset)
    if labels is None:
        fix = "add it, or send to another one"
        return warn("SubsetNotFound", f"traffic goes to subset {shown(subset)}, which no DestinationRule has; {fix}")
    taken = view.behind.taken_by(labels)
    if len(taken) > 1:
        names = listing(each.name for each in taken)
        return warn(
            "SubsetTooWide",
            f"traffic goes to subset {shown(subset)} with the labels {shown(dict(labels))}, which select the versions "
            f"{names}; give it labels that only one of them has",
        )
    return Serves(subset, labels, taken[0] if taken else None)


def _several_weighted(view: View, said: Serving) -> Serves | Act:
    found = {subset: _of_subset(view, subset) for subset in said.subsets}
    asked = view.wishes.wish.stable if view.wishes.wish else None
    for subset, server in found.items():
        if isinstance(server, Act):
            return server
        names = {subset, server.version.name if server.version else subset}
        if len(found) == 2 and asked in names:
            return replace(server, beside=next(each for each in found if each != subset))
    shares = ", ".join(
        f"{subset or 'all pods'} ({weight})" for subset, weight in sorted(said.weights.items()) if weight
    )
    return warn(
        "SeveralServe",
        f"traffic is shared by weight: {shares}; give one of them all of it, or say which one is stable with the "
        f"annotation meshshift.io/stable ({', '.join(said.subsets)})",
    )


def _by_pods(view: View) -> Serves | Act:
    """Who serves where requests go to all pods: the last one proven, the only one with ready pods, or who is named."""
    ready = view.behind.ready
    if view.behind.nameless:
        return warn(
            "NoVersionLabel",
            "ready pods have neither the label app.kubernetes.io/version nor version, so that no subset could send to "
            "them; label their pod template",
        )
    if not ready:
        return wait("NoReadyPods", "waiting for a ready pod")
    proven = _proven(view)
    asked = view.wishes.wish.stable if view.wishes.wish else None
    names = ", ".join(each.name for each in ready)
    if proven is not None:
        return _served_by(view, proven)
    if len(ready) == 1 and asked in {None, ready[0].name}:
        return _served_by(view, ready[0])
    chosen = next((each for each in ready if each.name == asked), None)
    if chosen is not None:
        return _served_by(view, chosen)
    if asked is not None:
        message = f"meshshift.io/stable: {shown(asked)} is no version with a ready pod; name one of {names}"
        return warn("StableNotFound", message)
    counts = ", ".join(f"{each.name} ({each.ready} ready pods)" for each in ready)
    return warn(
        "SeveralServe",
        f"traffic is shared by pod count: {counts}; say which one serves with the annotation meshshift.io/stable "
        f"({names}), and it gets all of it",
    )


def _proven(view: View) -> Version | None:
    """The version that had all the traffic by the word of the service's own shift, if it has a ready pod."""
    if view.shift is None:
        return None
    arm = "canary" if view.shift.standing is Standing.PROMOTED else "stable"
    _, labels = view.shift.subset(arm)
    taken = view.behind.taken_by(labels) if labels else ()
    return taken[0] if len(taken) == 1 and taken[0].ready else None


def _served_by(view: View, version: Version) -> Serves:
    subset, labels = place_of(view, version)
    return Serves(subset, labels, version)


def place_of(view: View, version: Version) -> tuple[str, Mapping[str, str]]:
    """Name and labels of the version's subset: the one that is there, or the one that will be."""
    subsets = listed_subsets(view.rules, view.target)
    present = subset_of(version, view.behind, subsets)
    if present is not None:
        return present, dict(subsets)[present]
    return subset_name(version, view.behind, [name for name, _ in subsets]), version.labels


def rule_with(view: View, server: Serves) -> Act | None:
    """The DestinationRule gets the subset, before anything names it; None if it has it."""
    target = view.aimed("", server.subset)
    rule = find_rule(view.rules, target)
    missing = isinstance(rule, Problem) and rule.reason is Reason.NO_DESTINATION_RULE
    if isinstance(rule, Problem) and not missing:
        return warn(rule.reason, rule.message)
    present = joined_labels(view.rules, target, server.subset)
    adding_to = ref_of(rule, "DestinationRule") if present is None and not isinstance(rule, Problem) else None
    coming = {server.subset: adding_to} if adding_to else {}
    hidden = hidden_subset(view.rules, target, {server.subset: server.labels}, coming)
    if hidden is not None:
        return warn(hidden.reason, hidden.message)
    if isinstance(rule, Problem):
        document = new_destination_rule(view.aimed(server.subset), server.labels)
        return _create(view, document, f"creating DestinationRule {{}} with subset {server.subset}")
    patch = add_subset_patch(rule, server.subset, server.labels)
    if isinstance(patch, Problem):
        return warn(patch.reason, patch.message)
    if patch is None or present is not None:
        return None
    return write("AddingSubset", f"adding subset {server.subset} to {patch.target}", patch)


def _settling(view: View) -> Act | None:
    left = view.unsettled(view.rules, "DestinationRule")
    return wait("Settling", "the DestinationRule settles", left) if left > 0 else None


def _pin(view: View, said: Serving, server: Serves) -> Act | None:
    """Every destination without a subset gets that of the only version that its requests could reach."""
    patches = pin_patches(said.spread, server.subset)
    where = ", ".join(str(patch.target) for patch in patches)
    return write("Pinning", f"{where}: destinations name subset {server.subset}", *patches) if patches else None


def _speak(view: View, said: Serving, server: Serves) -> Act:
    """A VirtualService for callers in the mesh, all traffic where it is."""
    wide, wish = covering(view.virtual_services, view.target), view.wishes.wish
    if wide is not None:
        return warn(
            "WildcardVirtualService",
            f"{wide} speaks for {view.target.host} by a wildcard, and one for the host alone would take over from it "
            f"whole; create one that sends to subset {server.subset} and does what this one does",
        )
    hosts, gateways = (wish.hosts, wish.gateways) if wish else ((), ())
    document = new_virtual_service(view.aimed(server.subset), hosts, gateways, ports_of(view.service))
    return _create(view, document, f"creating VirtualService {{}}, all traffic on {server.subset}")


def _create(view: View, document: Document, message: str) -> Act:
    name = view.free_name(document["kind"])
    metadata = {**document["metadata"], "name": name, "ownerReferences": [view.owner]}
    return write("Creating", message.format(name), Creation({**document, "metadata": metadata}))


def _exposed(view: View) -> Act | None:
    """Hosts and gateways of the VirtualService that was created for the service follow its annotations."""
    wish = view.wishes.wish
    for document in view.virtual_services:
        if wish is None or not is_owned_by(document, view.service):
            continue
        fresh = new_virtual_service(view.aimed("any"), wish.hosts, wish.gateways)["spec"]
        changes = {name: fresh.get(name) for name in ("hosts", "gateways")}
        operations = [
            operation("add", pointer("spec", name), value)
            for name, value in changes.items()
            if value and value != member(document, "spec", name)
        ]
        if changes["gateways"] is None and member(document, "spec", "gateways"):
            operations.append({"op": "remove", "path": pointer("spec", "gateways")})
        if operations:
            ref = ref_of(document, "VirtualService")
            patch = Patch(ref, (unmoved(resource_version(document)), *operations))
            return write("Exposing", f"{ref} speaks for {listing(fresh['hosts'])}", patch)
    return None
