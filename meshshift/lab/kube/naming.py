"""What names, labels and annotations may look like, with the API server's explanations.

Source: k8s.io/apimachinery/pkg/util/validation and pkg/api/validation/objectmeta.go.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from meshshift.lab.kube.documents import metadata
from meshshift.lab.kube.errors import FieldError, invalid_value, required

if TYPE_CHECKING:
    from meshshift.lab.kube.documents import Document
    from meshshift.lab.kube.kinds import Kind

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
DNS_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")

SUBDOMAIN_HELP = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
LABEL_HELP = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
DNS_1035_HELP = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
)
QUALIFIED_HELP = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
LABEL_VALUE_HELP = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
ANNOTATIONS_LIMIT = 256 * 1024


def check_metadata(document: Document, kind: Kind) -> list[FieldError]:
    """Return what is wrong with an object's name, labels and annotations."""
    meta = metadata(document)
    errors = _name(str(meta.get("name") or ""), kind)
    for key, value in (meta.get("labels") or {}).items():
        errors += _key("metadata.labels", key)
        errors += _label_value(value)
    annotations = meta.get("annotations") or {}
    for key in annotations:
        errors += _key("metadata.annotations", key.lower())
    if sum(len(key) + len(str(value)) for key, value in annotations.items()) > ANNOTATIONS_LIMIT:
        detail = f"Too long: may not be more than {ANNOTATIONS_LIMIT} bytes"
        errors.append(FieldError("FieldValueTooLong", "metadata.annotations", detail))
    return errors


def _name(name: str, kind: Kind) -> list[FieldError]:
    if not name:
        return [required("metadata.name", "name or generateName is required")]
    pattern, help_text, limit = SUBDOMAIN, SUBDOMAIN_HELP, 253
    if kind.group == "rbac.authorization.k8s.io":
        return []
    if kind.kind == "Namespace":
        pattern, help_text, limit = LABEL, LABEL_HELP, 63
    elif kind.kind == "Service" and not kind.group:
        pattern, help_text, limit = DNS_1035, DNS_1035_HELP, 63
    errors = [] if pattern.fullmatch(name) else [invalid_value("metadata.name", name, help_text)]
    if len(name) > limit:
        errors.append(invalid_value("metadata.name", name, f"must be no more than {limit} bytes"))
    return errors


def _key(field: str, key: str) -> list[FieldError]:
    prefix, slash, name = key.rpartition("/")
    if slash and not SUBDOMAIN.fullmatch(prefix):
        return [invalid_value(field, key, f"prefix part {SUBDOMAIN_HELP}")]
    if not QUALIFIED.fullmatch(name):
        return [invalid_value(field, key, QUALIFIED_HELP)]
    return [invalid_value(field, key, "name part must be no more than 63 bytes")] if len(name) > 63 else []


def _label_value(value: Any) -> list[FieldError]:
    if not isinstance(value, str) or not LABEL_VALUE.fullmatch(value):
        return [invalid_value("metadata.labels", value, LABEL_VALUE_HELP)]
    return [invalid_value("metadata.labels", value, "must be no more than 63 bytes")] if len(value) > 63 else []
