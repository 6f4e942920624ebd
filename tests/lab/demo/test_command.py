"""The command line: what it imports, what it refuses, and how it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from meshshift.cli.main import SUBCOMMANDS, main
from meshshift.lab.demo.scenarios import SCENARIOS

ROOT = Path(__file__).parents[3]


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)


def test_the_operator_runs_without_the_lab() -> None:
    code = "import sys; sys.argv = ['meshshift', 'operator', '--help']\n"
    code += "sys.modules.update(dict.fromkeys(['celpy', 'envoy', 'jsonpatch', 'jsonschema', 'rich']))\n"
    code += "from meshshift.cli.main import main\n"
    code += "try: main()\nexcept SystemExit: pass\n"
    code += "assert not [name for name in sys.modules if name.startswith('meshshift.lab')]"
    done = python(code)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("missing", ["rich", "celpy", "jsonpatch"])
def test_without_the_extra_it_says_what_to_install(missing: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; sys.argv = ['meshshift', 'lab']\n"
    code += "from meshshift.cli.main import main; main()"
    done = python(code)
    assert done.returncode == 1
    assert done.stderr == f"Error: {missing} is not installed: pip install 'meshshift[lab]'\n"


def test_every_subcommand_has_help() -> None:
    assert set(SUBCOMMANDS) <= set(CliRunner().invoke(main, ["--help"]).output.split())
    for name in SUBCOMMANDS:
        assert CliRunner().invoke(main, [name, "--help"]).exit_code == 0


def test_the_help_explains_every_scenario() -> None:
    text = CliRunner().invoke(main, ["lab", "--help"]).output
    words = " ".join(text.split())
    assert all(f"{name} {scenario.title}" in words for name, scenario in SCENARIOS.items())
    assert max(map(len, text.splitlines())) <= 80


def test_an_unknown_scenario_is_refused_with_those_that_there_are() -> None:
    result = CliRunner().invoke(main, ["lab", "--scenario", "nonsense"])
    assert result.exit_code == 2
    assert all(name in result.output for name in ("nonsense", *SCENARIOS))


def test_the_page_of_the_demo_names_every_scenario() -> None:
    page = (ROOT / "docs" / "demo.md").read_text()
    assert [name for name in SCENARIOS if name != "demo" and f"SCENARIO={name}`" not in page] == []


def test_a_directory_with_old_telemetry_is_refused(tmp_path: Path) -> None:
    (tmp_path / "old").touch()
    result = CliRunner().invoke(main, ["lab", "--directory", str(tmp_path)])
    assert result.exit_code == 1
    assert f"directory: {tmp_path} is not empty" in result.output
    assert "name a new one" in result.output
