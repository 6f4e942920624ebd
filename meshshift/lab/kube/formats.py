"""String formats that a CustomResourceDefinition's schema may ask for, as kube-openapi's strfmt checks them.

Unknown formats are ignored, as the API server ignores them.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from datetime import date, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

DATE_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})")
GO_DURATION = re.compile(r"[+-]?(0|(\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))*)")
LONG_DURATION = re.compile(
    r"\d+\s*(ns|nano|us|µs|micro|ms|milli|s|sec|m|min|h|hr|hour|d|day|w|week|wk)s?", re.IGNORECASE
)
HOST_NAME = re.compile(
    r"(?=.{1,253}$)[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*"
)
UUID = re.compile(r"[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")
E_MAIL = re.compile(r"[^@\s]+@[^@\s]+")
URI = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:\S+|/\S*")
MAC = re.compile(r"([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}")


def _parses(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            parse(text)
        except (ValueError, binascii.Error):
            return False
        return True

    return check


def _matches(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: pattern.fullmatch(text) is not None


def _is_date_time(text: str) -> bool:
    if not DATE_TIME.fullmatch(text):
        return False
    return _parses(lambda part: datetime.fromisoformat(part[:19].upper()))(text)


def _is_duration(text: str) -> bool:
    return bool(GO_DURATION.fullmatch(text) or LONG_DURATION.fullmatch(text))


FORMATS: dict[str, Callable[[str], bool]] = {
    "date-time": _is_date_time,
    "datetime": _is_date_time,
    "date": _parses(date.fromisoformat),
    "duration": _is_duration,
    "email": _matches(E_MAIL),
    "hostname": _matches(HOST_NAME),
    "ipv4": _parses(ipaddress.IPv4Address),
    "ipv6": _parses(ipaddress.IPv6Address),
    "cidr": _parses(lambda text: ipaddress.ip_network(text, strict=False)),
    "mac": _matches(MAC),
    "uri": _matches(URI),
    "uuid": _matches(UUID),
    "byte": _parses(lambda text: base64.b64decode(text, validate=True)),
}


def has_format(text: str, wanted: str) -> bool:
    """Tell whether a string is of a format; True for formats that are not known."""
    check = FORMATS.get(wanted)
    return check is None or check(text)
