"""Protobuf bodies of kubectl's typed commands become the documents they mean."""

from __future__ import annotations

import pytest

from meshshift.lab.kube.errors import StatusError
from meshshift.lab.kube.protobuf import MAGIC, decode


def field(number: int, content: bytes | int) -> bytes:
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def body(api_version: str, kind: str, message: bytes) -> bytes:
    about = field(1, api_version.encode()) + field(2, kind.encode())
    return MAGIC + field(1, about) + field(2, message)


def test_names_labels_and_numbers_are_read() -> None:
    label = field(1, b"app") + field(2, b"web")
    meta = field(1, b"web") + field(11, label)
    spec = field(1, 0) + field(5, 300)
    found = decode(body("apps/v1", "Deployment", field(1, meta) + field(2, spec)))
    assert found == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {"replicas": 0, "minReadySeconds": 300},
    }


def test_a_port_is_a_number_or_a_name() -> None:
    by_number = field(3, 80) + field(4, field(1, 0) + field(2, 8080))
    by_name = field(3, 81) + field(4, field(1, 1) + field(3, b"http"))
    spec = field(1, by_number) + field(1, by_name)
    found = decode(body("v1", "Service", field(2, spec)))
    assert found["spec"]["ports"] == [{"port": 80, "targetPort": 8080}, {"port": 81, "targetPort": "http"}]


def test_a_field_that_is_not_known_is_refused_rather_than_lost() -> None:
    affinity = field(18, field(1, field(1, b"x")))
    with pytest.raises(StatusError) as refused:
        decode(body("v1", "Pod", field(2, affinity)))
    assert refused.value.code == 415


def test_a_kind_that_is_not_known_is_refused() -> None:
    with pytest.raises(StatusError) as refused:
        decode(body("batch/v1", "Job", b""))
    assert refused.value.code == 415


@pytest.mark.parametrize("raw", [b"", b"{}", MAGIC, MAGIC + b"\x0a\xff"])
def test_garbage_is_a_bad_request(raw: bytes) -> None:
    with pytest.raises(StatusError) as refused:
        decode(raw)
    assert refused.value.code == 400
