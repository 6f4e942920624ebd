"""Kinds of values that flags take."""

from __future__ import annotations

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
