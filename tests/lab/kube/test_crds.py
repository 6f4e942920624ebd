"""Contract: CustomResourceDefinitions: serving, validation, pruning, defaults, CEL rules, the status subresource."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.kube.client import MERGE, refusal, repeated

if TYPE_CHECKING:
    import httpx

    from tests.lab.kube.client import Api, Document

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
NOT_CHECKED = (
    "<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation"
)


def object_of(**properties: Any) -> Document:
    return {"type": "object", "properties": properties}


def is_refused(response: httpx.Response) -> bool:
    return response.is_error


async def refused(api: Api, spec: Document) -> Document:
    response = await api.http.post(api.widgets(), json=api.widget_document("w", spec))
    return refusal(response, 422, "Invalid")


async def test_a_definition_is_established_and_served(api: Api) -> None:
    definition = await api.define_widgets(object_of(size={"type": "integer"}))
    conditions = {one["type"]: one["status"] for one in definition["status"]["conditions"]}
    assert conditions["Established"] == "True"
    assert conditions["NamesAccepted"] == "True"
    assert definition["status"]["storedVersions"] == ["v1"]
    found = await api.get(f"/apis/{api.group}/v1")
    assert {one["name"] for one in found["resources"]} == {"widgets", "widgets/status"}
    assert (await api.widget("w", {"size": 1}))["metadata"]["generation"] == 1


async def test_a_deleted_definition_takes_its_objects_and_is_served_no_more(api: Api) -> None:
    await api.define_widgets(object_of())
    await api.widget("w", {})
    await api.delete(f"{DEFINITIONS}/widgets.{api.group}")
    response = await repeated(lambda: api.http.get(api.widgets()), lambda answer: answer.status_code == 404)
    assert response.text == "404 page not found\n"


@pytest.mark.parametrize(
    ("schema", "value", "message"),
    [
        (
            {"type": "integer"},
            "big",
            'spec.f: Invalid value: "string": spec.f in body must be of type integer: "string"',
        ),
        (
            {"type": "integer", "minimum": 0},
            -1,
            "spec.f: Invalid value: -1: spec.f in body should be greater than or equal to 0",
        ),
        (
            {"type": "integer", "maximum": 100},
            101,
            "spec.f: Invalid value: 101: spec.f in body should be less than or equal to 100",
        ),
        (
            {"type": "string", "enum": ["Hold", "Rollback"]},
            "Stop",
            'spec.f: Unsupported value: "Stop": supported values: "Hold", "Rollback"',
        ),
        (
            {"type": "string", "pattern": "^[a-z]+$"},
            "A1",
            "spec.f: Invalid value: \"A1\": spec.f in body should match '^[a-z]+$'",
        ),
        (
            {"type": "string", "maxLength": 2},
            "abc",
            "spec.f: Too long: may not be more than 2 bytes",
        ),
        (
            {"type": "string", "minLength": 2},
            "a",
            'spec.f: Invalid value: "a": spec.f in body should be at least 2 chars long',
        ),
        (
            {"type": "array", "maxItems": 1, "items": {"type": "integer"}},
            [1, 2],
            "spec.f: Too many: 2: must have at most 1 item",
        ),
        (
            {"type": "string", "format": "date-time"},
            "noon",
            'spec.f: Invalid value: "noon": spec.f in body must be of type date-time: "noon"',
        ),
    ],
)
async def test_a_bad_value_is_refused_in_the_servers_words(
    api: Api, schema: Document, value: Any, message: str
) -> None:
    await api.define_widgets(object_of(f=schema))
    status = await refused(api, {"f": value})
    assert status["message"] == f'Widget.{api.group} "w" is invalid: {message}'
    assert status["details"]["causes"][0]["field"] == "spec.f"
    assert (status["details"]["kind"], status["details"]["group"]) == ("Widget", api.group)


async def test_every_error_is_listed(api: Api) -> None:
    schema = object_of(a={"type": "integer"}, b={"type": "integer", "minimum": 1}) | {"required": ["a"]}
    await api.define_widgets(schema)
    status = await refused(api, {"b": 0})
    assert {(cause["reason"], cause["field"]) for cause in status["details"]["causes"]} == {
        ("FieldValueRequired", "spec.a"),
        ("FieldValueInvalid", "spec.b"),
    }
    assert status["message"].startswith(f'Widget.{api.group} "w" is invalid: [')


async def test_values_in_lists_are_named_by_index(api: Api) -> None:
    await api.define_widgets(object_of(f={"type": "array", "items": object_of(w={"type": "integer"})}))
    status = await refused(api, {"f": [{"w": 1}, {"w": "x"}]})
    assert status["details"]["causes"][0]["field"] == "spec.f[1].w"


async def test_list_map_keys_are_unique(api: Api) -> None:
    entry = object_of(name={"type": "string"}) | {"required": ["name"]}
    listing = {
        "type": "array",
        "items": entry,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
    }
    await api.define_widgets(object_of(f=listing))
    status = await refused(api, {"f": [{"name": "a"}, {"name": "a"}]})
    assert status["message"].endswith('spec.f[1]: Duplicate value: {"name":"a"}')


async def test_exactly_one_of_several_fields_can_be_required(api: Api) -> None:
    schema = object_of(a={"type": "integer"}, b={"type": "integer"})
    await api.define_widgets(schema | {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]})
    status = await refused(api, {"a": 1, "b": 2})
    assert "must validate one and only one schema (oneOf). Found 2 valid alternatives" in status["message"]
    await api.widget("fine", {"a": 1})


async def test_an_int_or_string_is_either(api: Api) -> None:
    await api.define_widgets(object_of(port={"x-kubernetes-int-or-string": True}))
    assert (await api.widget("a", {"port": 80}))["spec"] == {"port": 80}
    assert (await api.widget("b", {"port": "http"}))["spec"] == {"port": "http"}
    assert "must be of type integer,string" in (await refused(api, {"port": 1.5}))["message"]


async def test_a_null_where_none_is_allowed_counts_as_absent(api: Api) -> None:
    await api.define_widgets(object_of(size={"type": "integer"}, note={"type": "string", "nullable": True}))
    assert (await api.widget("w", {"size": None, "note": None}))["spec"] == {"note": None}


async def test_a_rule_that_fails_to_run_says_so(api: Api) -> None:
    schema = object_of(a={"type": "integer"}, b={"type": "integer"})
    await api.define_widgets(schema | {"x-kubernetes-validations": [{"rule": "self.a < self.b", "message": "a < b"}]})
    message = (await refused(api, {"a": 1}))["message"]
    assert message.endswith('spec: Invalid value: "object": no such key: b evaluating rule: a < b')


async def test_unknown_fields_are_pruned(api: Api) -> None:
    await api.define_widgets(object_of(size={"type": "integer"}))
    assert (await api.widget("w", {"size": 1, "colour": "red"}))["spec"] == {"size": 1}


async def test_unknown_fields_are_kept_where_the_schema_says_so(api: Api) -> None:
    await api.define_widgets(object_of(size={"type": "integer"}) | {"x-kubernetes-preserve-unknown-fields": True})
    assert (await api.widget("w", {"size": 1, "colour": "red"}))["spec"] == {"size": 1, "colour": "red"}


async def test_strict_validation_names_the_unknown_field(api: Api) -> None:
    await api.define_widgets(object_of(size={"type": "integer"}))
    body = api.widget_document("w", {"size": 1, "colour": "red"})
    response = await api.http.post(api.widgets(), json=body, params={"fieldValidation": "Strict"})
    status = refusal(response, 400, "BadRequest")
    assert status["message"] == (
        'Widget in version "v1" cannot be handled as a Widget: strict decoding error: unknown field "spec.colour"'
    )


async def test_unknown_fields_are_named_in_order(api: Api) -> None:
    await api.define_widgets(object_of(inner=object_of(size={"type": "integer"})))
    body = api.widget_document("w", {"zeal": 1, "inner": {"hue": 1}, "colour": "red"})
    response = await api.http.post(api.widgets(), json=body)
    assert [warning.split('"')[2].strip("\\") for warning in response.headers.get_list("Warning")] == [
        "spec.colour",
        "spec.inner.hue",
        "spec.zeal",
    ]


async def test_defaults_fill_what_is_left_open(api: Api) -> None:
    inner = object_of(mode={"type": "string", "default": "Hold"})
    await api.define_widgets(
        object_of(size={"type": "integer", "default": 3}, inner=inner, always=inner | {"default": {}})
    )
    spec = (await api.widget("w", {"inner": {}}))["spec"]
    assert spec == {"size": 3, "inner": {"mode": "Hold"}, "always": {"mode": "Hold"}}
    assert (await api.widget("x", {"size": None}))["spec"] == {"size": 3, "always": {"mode": "Hold"}}


async def test_a_new_default_shows_on_objects_written_before(api: Api) -> None:
    await api.define_widgets(object_of(size={"type": "integer"}))
    created = await api.widget("w", {})
    newer = api.widget_definition(object_of(size={"type": "integer", "default": 3}))
    await api.patch(f"{DEFINITIONS}/widgets.{api.group}", newer, MERGE)
    found = await repeated(lambda: api.get(api.widgets("w")), lambda answer: bool(answer["spec"]))
    assert found["spec"] == {"size": 3}
    assert found["metadata"]["resourceVersion"] == created["metadata"]["resourceVersion"]


async def test_status_and_spec_are_written_apart(api: Api) -> None:
    await api.define_widgets(object_of(size={"type": "integer"}))
    body = {**api.widget_document("w", {"size": 1}), "status": {"phase": "Sneaked"}}
    created = await api.create(api.widgets(), body)
    assert "status" not in created
    reported = await api.patch(f"{api.widgets('w')}/status", {"spec": {"size": 9}, "status": {"phase": "On"}})
    assert (reported["spec"], reported["status"]) == ({"size": 1}, {"phase": "On"})
    edited = await api.patch(api.widgets("w"), {"spec": {"size": 2}, "status": {"phase": "Off"}})
    assert (edited["spec"], edited["status"]) == ({"size": 2}, {"phase": "On"})
    assert edited["metadata"]["generation"] == 2


async def test_a_replace_must_name_a_version(api: Api) -> None:
    await api.define_widgets(object_of())
    await api.widget("w", {})
    response = await api.http.put(api.widgets("w"), json=api.widget_document("w", {}))
    status = refusal(response, 422, "Invalid")
    assert "metadata.resourceVersion: Invalid value: 0: must be specified for an update" in status["message"]


async def test_versions_share_their_objects(api: Api) -> None:
    definition = api.widget_definition(object_of(size={"type": "integer"}))
    first = definition["spec"]["versions"][0]
    definition["spec"]["versions"] = [first, {**first, "name": "v1beta1", "storage": False}]
    await api.define(definition)
    await api.widget("w", {"size": 1})
    found = await api.get(api.widgets("w", "v1beta1"))
    assert (found["apiVersion"], found["spec"]) == (f"{api.group}/v1beta1", {"size": 1})


async def test_a_tightened_schema_does_not_freeze_existing_objects(api: Api) -> None:
    await api.define_widgets(object_of(size={"type": "integer"}, note={"type": "string"}))
    await api.widget("w", {"size": 50})
    newer = api.widget_definition(object_of(size={"type": "integer", "maximum": 10}, note={"type": "string"}))
    await api.patch(f"{DEFINITIONS}/widgets.{api.group}", newer, MERGE)
    sizes = itertools.count(51)
    response = await repeated(lambda: api.send_patch(api.widgets("w"), {"spec": {"size": next(sizes)}}), is_refused)
    refusal(response, 422, "Invalid")
    edited = await api.patch(api.widgets("w"), {"spec": {"note": "still editable"}})
    assert edited["spec"]["note"] == "still editable"


async def test_a_tightened_rule_does_not_freeze_existing_objects(api: Api) -> None:
    schema = object_of(limits=object_of(size={"type": "integer"}), note={"type": "string"})
    await api.define_widgets(schema)
    await api.widget("w", {"limits": {"size": 50}})
    rule = {"rule": "self.size <= 10", "message": "too big"}
    schema["properties"]["limits"]["x-kubernetes-validations"] = [rule]
    await api.patch(f"{DEFINITIONS}/widgets.{api.group}", api.widget_definition(schema), MERGE)
    specs = ({"spec": {"limits": {"size": size}}} for size in itertools.count(51))
    response = await repeated(lambda: api.send_patch(api.widgets("w"), next(specs)), is_refused)
    assert "too big" in refusal(response, 422, "Invalid")["message"]
    edited = await api.patch(api.widgets("w"), {"spec": {"note": "still editable"}})
    assert edited["spec"]["note"] == "still editable"


async def test_a_definition_can_make_fields_selectable(api: Api) -> None:
    await api.define_widgets(object_of(colour={"type": "string"}), selectableFields=[{"jsonPath": ".spec.colour"}])
    await api.widget("a", {"colour": "red"})
    await api.widget("b", {"colour": "green"})
    assert await api.names(api.widgets(), fieldSelector="spec.colour=red") == ["a"]


AS_TYPE = '"object": '
"""Kubernetes 1.34 shows the type of a value that breaks a rule; 1.36 shows a scalar itself and no object."""
RISING = [{"weight": 1}, {"weight": 2}]
RULED = object_of(
    size={"type": "integer"},
    most={"type": "integer"},
    kind={"type": "string"},
    canary=object_of(),
    rolling=object_of(),
    steps={
        "type": "array",
        "items": object_of(weight={"type": "integer"}),
        "maxItems": 10,
    },
    namespace={"type": "string"},
)


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        ("self.size <= self.most", {"size": 1, "most": 2}, {"size": 3, "most": 2}),
        ("!has(self.size) || self.size > 0", {}, {"size": 0}),
        ("[has(self.canary), has(self.rolling)].exists_one(x, x)", {"canary": {}}, {"canary": {}, "rolling": {}}),
        ("self.steps.all(s, s.weight <= 100)", {"steps": [{"weight": 100}]}, {"steps": [{"weight": 101}]}),
        ("self.steps.exists(s, s.weight == 100)", {"steps": [{"weight": 100}]}, {"steps": []}),
        ("self.steps.map(s, s.weight).sum() <= 100", {"steps": [{"weight": 99}]}, {"steps": [{"weight": 101}]}),
        ("self.steps.filter(s, s.weight > 1).size() < 2", {"steps": RISING}, {"steps": [{"weight": 60}] * 2}),
        ("self.steps.map(s, s.weight).isSorted()", {"steps": RISING}, {"steps": RISING[::-1]}),
        ("self.kind.matches('^[0-9]+(ms|s|m|h)$')", {"kind": "15s"}, {"kind": "15"}),
        ("size(self.kind) < 4 && self.kind.startsWith('v')", {"kind": "v1"}, {"kind": "x1"}),
        ("self.kind in ['Hold', 'Rollback']", {"kind": "Hold"}, {"kind": "Stop"}),
        ("duration(self.kind) <= duration('1h')", {"kind": "30m"}, {"kind": "2h"}),
        ("self.kind.lowerAscii().trim() == 'a'", {"kind": " A "}, {"kind": "b"}),
        ("self.__namespace__ != 'kube-system'", {"namespace": "a"}, {"namespace": "kube-system"}),
    ],
)  # fmt: skip
async def test_rules_decide(api: Api, rule: str, good: Document, bad: Document) -> None:
    validations = [{"rule": rule, "message": "that is not allowed"}]
    await api.define_widgets(RULED | {"x-kubernetes-validations": validations})
    await api.widget("good", good)
    status = await refused(api, bad)
    start = f'Widget.{api.group} "w" is invalid: spec: Invalid value: '
    assert status["message"].replace(AS_TYPE, "", 1) == f"{start}that is not allowed"


async def test_a_rule_without_a_message_is_quoted(api: Api) -> None:
    await api.define_widgets(object_of(size={"type": "integer", "x-kubernetes-validations": [{"rule": "self > 1"}]}))
    status = await refused(api, {"size": 1})
    assert re.search(r'spec\.size: Invalid value: (1|"integer"): failed rule: self > 1$', status["message"])


async def test_a_rule_can_say_what_it_found(api: Api) -> None:
    validations = [{"rule": "self.size < 10", "messageExpression": "self.size > 99 ? 'far too big' : 'too big'"}]
    await api.define_widgets(object_of(size={"type": "integer"}) | {"x-kubernetes-validations": validations})
    assert (await refused(api, {"size": 11}))["message"].endswith(": too big")


async def test_a_rule_can_point_at_a_field_and_give_a_reason(api: Api) -> None:
    rule = {"rule": "self.size < 10", "message": "no", "fieldPath": ".size", "reason": "FieldValueForbidden"}
    await api.define_widgets(object_of(size={"type": "integer"}) | {"x-kubernetes-validations": [rule]})
    cause = (await refused(api, {"size": 11}))["details"]["causes"][0]
    assert cause == {"reason": "FieldValueForbidden", "message": "Forbidden: no", "field": "spec.size"}


async def test_a_transition_rule_looks_at_updates_only(api: Api) -> None:
    rule = {"rule": "self.service == oldSelf.service", "message": "service is immutable"}
    schema = object_of(service={"type": "string"}, size={"type": "integer"})
    await api.define_widgets(schema | {"x-kubernetes-validations": [rule]})
    await api.widget("w", {"service": "a"})
    await api.patch(api.widgets("w"), {"spec": {"size": 1}})
    response = await api.send_patch(api.widgets("w"), {"spec": {"service": "b"}})
    assert "service is immutable" in refusal(response, 422, "Invalid")["message"]


async def test_rules_wait_until_the_structure_is_right(api: Api) -> None:
    rules = [{"rule": "self.size < 10", "message": "too big"}]
    schema = object_of(size={"type": "integer"}, name={"type": "string"}) | {"required": ["name"]}
    await api.define_widgets(schema | {"x-kubernetes-validations": rules})
    status = await refused(api, {"size": 11})
    assert status["message"].endswith(f"[spec.name: Required value, {NOT_CHECKED}]")


async def test_status_rules_see_status_writes(api: Api) -> None:
    definition = api.widget_definition(object_of())
    status_schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
    status_schema |= object_of(step={"type": "integer"})
    status_schema["x-kubernetes-validations"] = [{"rule": "self.step >= 0", "message": "no negative steps"}]
    del status_schema["x-kubernetes-preserve-unknown-fields"]
    await api.define(definition)
    await api.widget("w", {})
    await api.patch(f"{api.widgets('w')}/status", {"status": {"step": 1}})
    response = await api.send_patch(f"{api.widgets('w')}/status", {"status": {"step": -1}})
    assert "no negative steps" in refusal(response, 422, "Invalid")["message"]


@pytest.mark.parametrize(
    ("spec_schema", "complaint"),
    [
        ({"properties": {"a": {"type": "string"}}}, ".type: Required value: must not be empty for specified object"),
        (object_of(a={"type": "array"}), ".items: Required value: must be specified"),
        (object_of(a={"type": "integer", "default": "x"}), ".default: Invalid value"),
        (object_of(a={"type": "array", "uniqueItems": True, "items": {"type": "string"}}), "uniqueItems cannot be set"),
        (object_of(a={"type": "string"}) | {"oneOf": [{"properties": {"a": {"type": "string"}}}]}, "to be structural"),
        (object_of() | {"x-kubernetes-validations": [{"rule": "self.a =="}]}, "compilation failed"),
    ],
)
async def test_an_unsound_schema_is_refused(api: Api, spec_schema: Document, complaint: str) -> None:
    response = await api.http.post(DEFINITIONS, json=api.widget_definition(spec_schema))
    status = refusal(response, 422, "Invalid")
    assert complaint in status["message"]


async def test_a_definition_must_be_named_after_its_resource(api: Api) -> None:
    definition = api.widget_definition(object_of())
    definition["metadata"]["name"] = f"gadgets.{api.group}"
    status = refusal(await api.http.post(DEFINITIONS, json=definition), 422, "Invalid")
    assert 'must be spec.names.plural+"."+spec.group' in status["message"]
