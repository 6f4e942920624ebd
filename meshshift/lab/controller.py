"""How the lab starts the controller: `meshshift operator` with settings that suit one machine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEFAULTS: Mapping[str, object] = {
    # Prometheus scrapes the lab every second, and a successor need not wait for the lease of one that was killed.
    "scrape_interval": "1s",
    "leader_election": False,
    "bind": "127.0.0.1",
    # The lab's gates are on loopback, where everything of it is.
    "receiver_networks": "127.0.0.1/32",
}


def controller_command(settings: Mapping[str, object]) -> list[str]:
    """The command line; settings win over the lab's defaults."""
    return [sys.executable, "-m", "meshshift", "operator", *as_flags({**_DEFAULTS, **settings})]


def as_flags(settings: Mapping[str, object]) -> list[str]:
    """Settings as command-line flags."""
    out: list[str] = []
    for name, value in settings.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            out.append(f"--{flag}" if value else f"--no-{flag}")
        elif value is not None:
            out += [f"--{flag}", str(value)]
    return out
