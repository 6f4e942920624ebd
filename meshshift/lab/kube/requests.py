"""Reading a request: which resource its path names, what its parameters ask for, which form its answer is to have."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import yaml

from meshshift.lab.kube import errors, protobuf
from meshshift.lab.kube.deletion import DeleteOptions, Propagation
from meshshift.lab.kube.documents import at
from meshshift.lab.kube.lifecycle import Options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

Form = Literal["object", "table", "partial"]
ACCEPTED = ("application/json", "application/yaml")
FORMS: dict[str, Form] = {
    "Table": "table",
    "PartialObjectMetadata": "partial",
    "PartialObjectMetadataList": "partial",
}
VALIDATIONS = ("Ignore", "Strict", "Warn")
VERBS = {"POST": "Create", "PATCH": "Patch"}


@dataclass(frozen=True, slots=True)
class Target:
    """What a path names. `name` is empty for a collection, `plural` for a group version's own document."""

    group: str
    version: str
    namespace: str = ""
    plural: str = ""
    name: str = ""
    subresource: str = ""


def target_of(path: str) -> Target | None:
    """Read a resource path; None if it has not the form of one."""
    parts = [part for part in path.split("/") if part]
    if parts[:1] == ["api"] and len(parts) >= 2:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[:1] == ["apis"] and len(parts) >= 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace = ""
    # `namespaces/x/status` is a Namespace's subresource, `namespaces/x/pods` a resource in it.
    if len(rest) > 2 and rest[0] == "namespaces" and not (len(rest) == 3 and rest[2] in {"status", "finalize"}):
        namespace, rest = rest[1], rest[2:]
    if len(rest) > 3:
        return None
    plural, name, subresource = [*rest, "", "", ""][:3]
    return Target(group, version, namespace, plural, name, subresource)


def verb_of(method: str, target: Target, query: Mapping[str, str]) -> str:
    """Return the verb by which Kubernetes calls a request.

    Raises:
        StatusError: 405, for a combination of method and path that means nothing.
    """
    if method == "GET" and not target.name:
        return "watch" if is_true(query.get("watch")) else "list"
    verbs = (
        {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
        if target.name
        else {"POST": "create", "DELETE": "deletecollection"}
    )
    if method not in verbs:
        raise errors.method_not_allowed()
    return verbs[method]


def is_true(text: str | None) -> bool:
    """Read a boolean query parameter."""
    return text is not None and text.lower() in {"true", "1", ""}


def form_of(accept: str) -> Form:
    """Return the form that an Accept header asks for first among those served.

    Raises:
        StatusError: 406, if JSON is not acceptable.
    """
    if not accept:
        return "object"
    for entry in accept.split(","):
        media, *parameters = [part.strip() for part in entry.split(";")]
        settings = dict(part.split("=", 1) for part in parameters if "=" in part)
        if media in {"application/json", "*/*", "application/*"}:
            wanted = settings.get("as")
            if wanted is None:
                return "object"
            if wanted in FORMS and settings.get("g", "meta.k8s.io") == "meta.k8s.io":
                return FORMS[wanted]
    raise errors.not_acceptable(ACCEPTED)


def write_options(request: web.Request, target: Target) -> Options:
    """Read the parameters of a write."""
    query = request.query
    validation = query.get("fieldValidation", "Warn") or "Warn"
    kind = f"{VERBS.get(request.method, 'Update')}Options"
    if validation not in VALIDATIONS:
        unsupported = errors.not_supported("fieldValidation", validation, ["", *VALIDATIONS])
        raise errors.invalid(kind, "meta.k8s.io", "", [unsupported])
    return Options(
        manager=query.get("fieldManager") or request.headers.get("User-Agent", "unknown").partition("/")[0][:128],
        subresource=target.subresource,
        dry_run=_dry_run(query.get("dryRun", ""), kind),
        validation=validation,  # type: ignore[arg-type]  # checked above
        force=is_true(query.get("force")),
    )


def _dry_run(text: str, kind: str) -> bool:
    if text not in {"", "All"}:
        raise errors.invalid(kind, "meta.k8s.io", "", [errors.not_supported("dryRun", [text], ["All"])])
    return text == "All"


def delete_options(query: Mapping[str, str], body: Any) -> DeleteOptions:
    """Read DeleteOptions from the body or, where it is silent, from the query."""
    given = body if isinstance(body, dict) else {}
    propagation: Propagation = given.get("propagationPolicy") or query.get("propagationPolicy") or "Background"  # type: ignore[assignment]  # checked below
    if given.get("orphanDependents") or is_true(query.get("orphanDependents")):
        propagation = "Orphan"
    if propagation not in {"Background", "Foreground", "Orphan"}:
        supported = '"Background", "Foreground", "Orphan"'
        raise errors.bad_request(
            f"propagationPolicy: Unsupported value: {propagation!r}: supported values: {supported}"
        )
    dry_run = given.get("dryRun") == ["All"] or _dry_run(query.get("dryRun", ""), "DeleteOptions")
    preconditions = given.get("preconditions") or {}
    return DeleteOptions(
        propagation,
        uid=str(at(preconditions, "uid") or ""),
        resource_version=str(at(preconditions, "resourceVersion") or ""),
        grace=given.get("gracePeriodSeconds", _grace(query)),
        dry_run=dry_run,
    )


def _grace(query: Mapping[str, str]) -> int | None:
    return number_of(query, "gracePeriodSeconds") if "gracePeriodSeconds" in query else None


async def body_of(request: web.Request) -> Any:
    """Read a body as JSON, or as YAML where that is allowed.

    Raises:
        StatusError: 400 if it cannot be read, 415 for an encoding that is not served.
    """
    raw = await request.read()
    if not raw:
        return None
    media = request.content_type
    if media == protobuf.MEDIA_TYPE:
        return protobuf.decode(raw)
    try:
        if "yaml" in media:
            return yaml.safe_load(raw) if raw.lstrip()[:1] != b"{" else json.loads(raw)
        if "json" in media or media == "application/octet-stream":
            return json.loads(raw)
    except (ValueError, yaml.YAMLError) as error:
        raise errors.bad_request(
            f"the object provided is unrecognized (must be of type JSON or YAML): {error}"
        ) from error
    raise errors.unsupported_media_type([*ACCEPTED, protobuf.MEDIA_TYPE])


def number_of(query: Mapping[str, str], name: str) -> int:
    """Read a parameter that is a whole number from 0; 0 if it is not given.

    Raises:
        StatusError: 400, if it is something else.
    """
    text = query.get(name) or "0"
    if not text.isdecimal():
        prefix = "invalid resource version: " if name == "resourceVersion" else ""
        raise errors.bad_request(
            f'{prefix}{name}: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        )
    return int(text)
