"""Durations for Envoy: protobuf's JSON knows seconds only, while Istio's documents say `250ms` or `1h30m`."""

from __future__ import annotations

from meshshift.api.durations import parse_duration


def envoy_duration(text: str) -> str:
    """The same duration as decimal seconds; raises ValueError for what is not a duration."""
    return f"{parse_duration(text):.9f}".rstrip("0").rstrip(".") + "s"
