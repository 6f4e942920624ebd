"""Kinds of values that flags take."""

from __future__ import annotations

import time
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_network

import click

from meshshift.api.durations import parse_duration


class _Duration(click.ParamType[float]):
    """A Go-style duration above zero (`15s`, `1h30m`), in seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return float(value)
        try:
            return parse_duration(str(value))
        except ValueError as error:
            self.fail(f"{value!r}: {error}", param, ctx)


DURATION = _Duration()


class _Instant(click.ParamType[float]):
    """An instant as unix seconds: RFC 3339 with its offset, `now`, or how long ago (`-2h`)."""

    name = "instant"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return float(value)
        text = str(value)
        fix = "write e.g. 2026-03-01T14:00:00Z, -2h or now"
        try:
            if text == "now":
                return time.time()
            if text.startswith("-"):
                return time.time() - parse_duration(text[1:])
            instant = datetime.fromisoformat(text)
        except ValueError:
            self.fail(f"{value!r} is no instant; {fix}", param, ctx)
        if instant.tzinfo is None:
            self.fail(f"{value!r} does not say in which time zone; append Z or an offset like +02:00", param, ctx)
        return instant.timestamp()


INSTANT = _Instant()


class _Networks(click.ParamType[tuple[IPv4Network | IPv6Network, ...]]):
    """Networks in CIDR notation, separated by commas."""

    name = "networks"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[IPv4Network | IPv6Network, ...]:
        if isinstance(value, tuple):
            return value
        try:
            return tuple(ip_network(part.strip()) for part in str(value).split(",") if part.strip())
        except ValueError as error:
            self.fail(f"{error}; write e.g. 127.0.0.1/32,169.254.20.0/24", param, ctx)


NETWORKS = _Networks()
