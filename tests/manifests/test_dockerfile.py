"""What can be said of the image without building it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def _instructions() -> list[tuple[str, str]]:
    """Instruction and arguments, line by line with continuations joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    joined = re.sub(r"\\\n", " ", "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#")))
    pairs = (line.split(maxsplit=1) for line in joined.splitlines() if line.strip())
    return [(name, arguments) for name, arguments in pairs]


def _final_stage() -> list[tuple[str, str]]:
    instructions = _instructions()
    last = max(index for index, (name, _) in enumerate(instructions) if name == "FROM")
    return instructions[last:]


def test_every_base_has_a_version() -> None:
    arguments = dict(each.split("=", 1) for name, each in _instructions() if name == "ARG" and "=" in each)
    assert re.fullmatch(r"python:3\.\d+-slim", arguments["BASE"])
    assert {each.split()[0] for name, each in _instructions() if name == "FROM"} == {"${BASE}"}


def test_the_image_runs_the_command_as_nobody() -> None:
    final = _final_stage()
    assert ("USER", "65532:65532") in final
    assert ("ENTRYPOINT", '["meshshift"]') in final
    assert final.index(("USER", "65532:65532")) < final.index(("ENTRYPOINT", '["meshshift"]'))


def test_the_root_file_system_may_be_read_only() -> None:
    (environment,) = [each for name, each in _final_stage() if name == "ENV"]
    assert "PYTHONDONTWRITEBYTECODE=1" in environment
    assert not [each for name, each in _final_stage() if name == "RUN"]


def test_the_lab_is_left_out_unless_asked_for() -> None:
    assert ("ARG", 'EXTRAS=""') in _instructions()


def test_dependencies_are_held_to_the_constraints() -> None:
    assert any("--constraint constraints.txt" in each for name, each in _instructions() if name == "RUN")


def _copied() -> set[str]:
    return {
        source.removeprefix("./")
        for name, each in _instructions()
        if name == "COPY" and not each.startswith("--from")
        for source in each.split()[:-1]
    }


def test_everything_that_is_copied_is_let_through_by_dockerignore() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert _copied() == allowed
    assert all((ROOT / each).exists() for each in _copied())


def test_what_goes_into_the_wheel_is_in_the_build_stage() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert {*build["packages"], *build["force-include"]} <= _copied()
