"""Whatever stands in the objects around a Service, its loop body names an act and every patch is guarded."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from meshshift.core.decision import Creation
from meshshift.core.enrolment.record import read_record
from meshshift.core.enrolment.rules import decide
from meshshift.core.mesh.documents import Patch
from meshshift.engine.enrolled import Enrolled
from meshshift.engine.world import World
from tests.engine.enrolment import UID, pod, service
from tests.engine.simulation import NAMESPACE, Document, route, rule, shift

VERSIONS = st.sampled_from(["v1", "v2", "V2", "1.2", "1-2", "", "x" * 63])
WEIGHTS = st.sampled_from([None, 0, 20, 80, 100])
NONSENSE = st.sampled_from([None, 3, "text", [], {}, [3], {"a": 3}])
OWNER = [{"apiVersion": "v1", "kind": "Service", "name": "reviews", "uid": UID, "controller": True}]


@st.composite
def pods(draw: st.DrawFn) -> list[Document]:
    found = []
    for number in range(draw(st.integers(0, 4))):
        version, template = draw(VERSIONS), draw(st.sampled_from("ab"))
        each = pod(
            version, number, template=template, ready=draw(st.booleans()), created=draw(st.integers(0, 3)) * 60.0
        )
        if draw(st.booleans()):
            each["metadata"]["labels"]["app.kubernetes.io/version"] = draw(VERSIONS)
        each["metadata"]["name"] += f"-{number}"
        found.append(each)
    return found


@st.composite
def objects(draw: st.DrawFn) -> list[Document]:
    """A rule, a route and a shift, each there or not, sound or broken somewhere, owned or not."""
    found = []
    weights = draw(st.dictionaries(VERSIONS.filter(bool), WEIGHTS, min_size=1, max_size=3))
    own = shift(canary={"subset": "v2", "labels": {"version": "v2"}})
    own["status"] = {"phase": draw(st.sampled_from(["Succeeded", "RolledBack", "Progressing", "nonsense"]))}
    for document in (rule(*draw(st.lists(VERSIONS, max_size=3))), route(weights), own):
        if draw(st.booleans()):
            continue
        if draw(st.booleans()):
            document["metadata"]["ownerReferences"] = OWNER
        broken = draw(st.sampled_from(["", "", "", "spec", "http", "subsets", "annotations", "status"]))
        if broken in {"spec", "status"}:
            document[broken] = draw(NONSENSE)
        elif broken == "annotations":
            document["metadata"]["annotations"] = {"meshshift.io/versions": draw(st.text(max_size=9))}
        elif broken in (document.get("spec") or {}):
            document["spec"][broken] = draw(NONSENSE)
        found.append(document)
    return found


ANNOTATIONS = st.fixed_dictionaries(
    {"meshshift.io/strategy": st.sampled_from(["canary", "rolling", "off", "?"])},
    optional={
        "meshshift.io/stable": VERSIONS,
        "meshshift.io/paused": st.sampled_from(["true", "false"]),
        "meshshift.io/policy": st.just("careful"),
    },
)


@settings(max_examples=200)
@given(pods(), objects(), ANNOTATIONS, st.booleans())
def test_there_is_always_an_act_and_every_patch_is_guarded(
    behind: list[Document], around: list[Document], annotations: dict[str, str], known: bool
) -> None:
    world = World()
    tables: dict[str, Any] = {
        "Pod": world.pods,
        "DestinationRule": world.destination_rules,
        "VirtualService": world.virtual_services,
        "TrafficShift": world.shifts,
        "Service": world.services,
    }
    for number, document in enumerate([service(annotations), *behind, *around]):
        metadata = {"namespace": NAMESPACE, "resourceVersion": str(number + 1), "generation": 1, "uid": str(number)}
        document["metadata"] = {**metadata, **document["metadata"]}
        tables[document["kind"]].put(document)
    mine = world.services.objects[NAMESPACE, "reviews"]
    act = decide(Enrolled(world).view(mine, 1000.0, 5.0 * known, {}))
    assert act.reason
    assert act.message or act.edits
    for edit in act.edits:
        if isinstance(edit, Patch):
            assert edit.operations[0]["op"] == "test"
            assert edit.operations[0]["path"] == "/metadata/resourceVersion"
        elif isinstance(edit, Creation):
            assert edit.document["metadata"]["ownerReferences"] == OWNER
            assert read_record(edit.document["metadata"].get("annotations") or {}) is not None
