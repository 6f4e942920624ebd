"""The API server's errors, in Kubernetes' own words.

Clients match on `reason`, people read `message`, and operators log both, so the wording follows
`k8s.io/apimachinery/pkg/api/errors` and `.../util/validation/field` exactly. Every refusal is a `StatusError`, whose
`status()` is the `v1 Status` document that goes over the wire.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meshshift.lab.kube.documents import Document

SOME_RULES_NOT_CHECKED = (
    "some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation"
)


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with one field.

    Attributes:
        reason: the machine-readable cause, such as `FieldValueInvalid`.
        field: the path of the field, such as `spec.http[0].route`.
        body: the sentence after the path.
    """

    reason: str
    field: str
    body: str

    def __str__(self) -> str:
        return f"{self.field}: {self.body}"

    def cause(self) -> Document:
        """Return the entry for `details.causes` of a Status."""
        return {"reason": self.reason, "message": self.body, "field": self.field}


def shown(value: Any) -> str:
    """Render a rejected value the way Go's field errors do: quoted strings, bare numbers, Go's JSON for the rest."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
    if isinstance(value, str):
        return text
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


class Omitted:
    """Marks a rejected value that the error does not repeat."""


OMITTED = Omitted()


def _with_value(title: str, value: Any) -> str:
    return title if value is OMITTED else f"{title}: {shown(value)}"


def _with_detail(title: str, detail: str) -> str:
    return f"{title}: {detail}" if detail else title


def invalid_value(field: str, value: Any, detail: str) -> FieldError:
    """The value is well-formed but not acceptable."""
    return FieldError("FieldValueInvalid", field, _with_detail(_with_value("Invalid value", value), detail))


def invalid_type(field: str, value: Any, detail: str) -> FieldError:
    """The value has the wrong JSON type."""
    return FieldError("FieldValueTypeInvalid", field, _with_detail(f"Invalid value: {shown(value)}", detail))


def required(field: str, detail: str = "") -> FieldError:
    """The field has to be there."""
    return FieldError("FieldValueRequired", field, _with_detail("Required value", detail))


def duplicate(field: str, value: Any) -> FieldError:
    """The value must be unique and is not."""
    return FieldError("FieldValueDuplicate", field, _with_value("Duplicate value", value))


def forbidden_field(field: str, detail: str) -> FieldError:
    """The field may not be set, or not now."""
    return FieldError("FieldValueForbidden", field, _with_detail("Forbidden", detail))


def not_supported(field: str, value: Any, supported: Sequence[Any]) -> FieldError:
    """The value is not one of the enumerated ones."""
    listed = ", ".join(shown(item if isinstance(item, str) else json.dumps(item)) for item in supported)
    return FieldError("FieldValueNotSupported", field, f"Unsupported value: {shown(value)}: supported values: {listed}")


def too_long(field: str, limit: int) -> FieldError:
    """The string has too many bytes."""
    bytes_word = "byte" if limit == 1 else "bytes"
    return FieldError("FieldValueTooLong", field, f"Too long: may not be more than {limit} {bytes_word}")


def too_many(field: str, actual: int, limit: int) -> FieldError:
    """The list or map has too many entries."""
    items_word = "item" if limit == 1 else "items"
    return FieldError("FieldValueTooMany", field, f"Too many: {actual}: must have at most {limit} {items_word}")


class StatusError(Exception):
    """A request that the API server refuses.

    Attributes:
        code: the HTTP status.
        reason: the machine-readable reason, such as `Conflict`.
        message: the sentence for people.
        details: name, group, kind, uid and causes, as far as known; None for an error that never has any.
        retry_after: seconds for a Retry-After header, if the client is asked to wait.
    """

    def __init__(
        self, code: int, reason: str, message: str, details: Document | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.retry_after = retry_after

    def status(self) -> Document:
        """Return the `v1 Status` document."""
        details = dict(self.details or {})
        if self.retry_after is not None:
            details["retryAfterSeconds"] = self.retry_after
        body: Document = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": details,
            "code": self.code,
        }
        if not details and self.details is None:
            del body["details"]
        if not self.reason:
            del body["reason"]
        return body


def _resource_details(name: str, group: str, resource: str) -> Document:
    details = {"name": name, "group": group, "kind": resource}
    return {key: value for key, value in details.items() if value}


def qualified(resource: str, group: str) -> str:
    """Return `virtualservices.networking.istio.io`, or just `pods` in the core group."""
    return f"{resource}.{group}" if group else resource


def not_found(resource: str, group: str, name: str) -> StatusError:
    """There is no such object."""
    message = f'{qualified(resource, group)} "{name}" not found'
    return StatusError(404, "NotFound", message, _resource_details(name, group, resource))


def no_such_resource() -> StatusError:
    """There is no resource of that name in this group."""
    return StatusError(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(resource: str, group: str, name: str) -> StatusError:
    """A create met an object of that name."""
    message = f'{qualified(resource, group)} "{name}" already exists'
    return StatusError(409, "AlreadyExists", message, _resource_details(name, group, resource))


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(resource: str, group: str, name: str, detail: str = MODIFIED) -> StatusError:
    """The write was based on another version of the object."""
    message = f'Operation cannot be fulfilled on {qualified(resource, group)} "{name}": {detail}'
    return StatusError(409, "Conflict", message, _resource_details(name, group, resource))


def invalid(kind: str, group: str, name: str, errors: Iterable[FieldError]) -> StatusError:
    """The object breaks validation rules."""
    unique = list(dict.fromkeys(errors))
    listed = str(unique[0]) if len(unique) == 1 else "[" + ", ".join(str(error) for error in unique) + "]"
    details = _resource_details(name, group, kind) | {"causes": [error.cause() for error in unique]}
    return StatusError(422, "Invalid", f'{qualified(kind, group)} "{name}" is invalid: {listed}', details)


def unprocessable() -> StatusError:
    """A JSON Patch whose operations cannot be carried out: the real server says no more than this."""
    return StatusError(422, "Invalid", "the server rejected our request due to an error in our request", {})


def bad_request(message: str) -> StatusError:
    """The request itself is malformed."""
    return StatusError(400, "BadRequest", message)


def forbidden(resource: str, group: str, name: str, detail: str) -> StatusError:
    """The request is understood and refused."""
    message = f'{qualified(resource, group)} "{name}" is forbidden: {detail}'
    return StatusError(403, "Forbidden", message, _resource_details(name, group, resource))


def expired(message: str) -> StatusError:
    """The version asked for is older than what the server remembers."""
    return StatusError(410, "Expired", message)


def too_large_version(asked: int, current: int) -> StatusError:
    """The version asked for lies in the future."""
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    message = f"Timeout: Too large resource version: {asked}, current: {current}"
    return StatusError(504, "Timeout", message, {"causes": causes}, retry_after=1)


def method_not_allowed() -> StatusError:
    """The resource does not know this verb."""
    return StatusError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})


def unsupported_media_type(accepted: Sequence[str]) -> StatusError:
    """The body is in a format that the resource does not take."""
    message = f"the body of the request was in an unknown format - accepted media types include: {', '.join(accepted)}"
    return StatusError(415, "UnsupportedMediaType", message)


def not_acceptable(accepted: Sequence[str]) -> StatusError:
    """The client asks for a format that the server does not speak."""
    message = f"only the following media types are accepted: {', '.join(accepted)}"
    return StatusError(406, "NotAcceptable", message)
