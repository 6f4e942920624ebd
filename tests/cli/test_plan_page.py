"""The page about plan and lint shows what the commands say today."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from meshshift.cli.main import main
from meshshift.core.lint.rules import RULES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "plan.md").read_text()
BLOCKS = re.findall(r"```console\n\$ meshshift (.*)\n((?:.*\n)*?)```", PAGE)


@pytest.mark.parametrize(("command", "shown"), BLOCKS, ids=[command for command, _ in BLOCKS])
def test_the_page_shows_what_the_command_prints(command: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = CliRunner().invoke(main, shlex.split(command))
    expected, cut, _ = shown.partition("…\n")
    printed = result.stdout + result.stderr
    assert printed.startswith(expected) if cut else printed == expected


def test_every_rule_is_on_the_page() -> None:
    assert len(re.findall(r"^\| `[a-z-]+` \| (?:error|warning) \|", PAGE, re.MULTILINE)) == len(RULES) + 2
