from __future__ import annotations

import time
from ipaddress import ip_network

import click
import pytest

from meshshift.cli.parameters import INSTANT, NETWORKS


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2023-11-14T22:13:20Z", 1_700_000_000.0),
        ("2023-11-14T23:13:20+01:00", 1_700_000_000.0),
        ("2023-11-14T22:13:20.5Z", 1_700_000_000.5),
    ],
)
def test_rfc_3339_is_read(text: str, instant: float) -> None:
    assert INSTANT.convert(text, None, None) == instant


def test_a_while_ago_is_counted_from_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 10_000.0)
    assert INSTANT.convert("-1h30m", None, None) == 4_600.0
    assert INSTANT.convert("now", None, None) == 10_000.0


@pytest.mark.parametrize("text", ["yesterday", "-", "-5 minutes", "14:00", ""])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is no instant; write"):
        INSTANT.convert(text, None, None)


def test_an_instant_without_a_time_zone_is_not_guessed() -> None:
    with pytest.raises(click.BadParameter, match="append Z or an offset"):
        INSTANT.convert("2023-11-14T22:13:20", None, None)


def test_networks_are_read_from_a_list() -> None:
    assert NETWORKS.convert("", None, None) == ()
    found = NETWORKS.convert("127.0.0.1/32, fe80::/64", None, None)
    assert found == (ip_network("127.0.0.1/32"), ip_network("fe80::/64"))
    assert NETWORKS.convert("127.0.0.1", None, None) == (ip_network("127.0.0.1/32"),)


@pytest.mark.parametrize("text", ["localhost", "127.0.0.1/8", "127.0.0.1/33", "*"])
def test_what_is_no_network_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"write e\.g\. 127\.0\.0\.1/32"):
        NETWORKS.convert(f"10.0.0.0/8,{text}", None, None)
