"""Files that are wrong or mean harm: one sentence each, and no more memory than a process of modest size has."""

from __future__ import annotations

import multiprocessing
import resource
from itertools import pairwise
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from meshshift.cli import yaml_documents as reading
from meshshift.cli.main import main
from meshshift.cli.yaml_documents import yaml_documents

if TYPE_CHECKING:
    from pathlib import Path

MEMORY = 2 * 2**30
PROCESSOR_SECONDS = 60


def levels(first: str, pattern: str, times: int) -> str:
    """`a`, and then each letter made of ten of the one before."""
    letters = "abcdefghijklmnopqrstuvwxyz"[: times + 1]
    tens = (f"{this}: &{this} {pattern % ','.join([f'*{before}'] * 10)}" for before, this in pairwise(letters))
    return "\n".join([f"a: &a {first}", *tens])


HARMFUL: dict[str, tuple[str | bytes, str]] = {
    "laughs": (levels("[lol]", "[%s]", 20), "its aliases unfold to more than"),
    "long-laughs": (levels(f"[{'x' * 10_000}]", "[%s]", 8), "its aliases unfold to more than"),
    "merge-keys": (levels("{k: v}", "{<<: [%s]}", 20), "merge keys unfold to too much"),
    "contains-itself": ("a: &a [*a]", "its aliases unfold to more than"),
    "merges-itself": ("a: &a {<<: *a}", "nested too deeply"),
    "nested": ("[" * 100_000, "nested too deeply"),
    "nested-json": ('{"a":' * 100_000, "nested too deeply"),
    "nested-blocks": ("\n".join(" " * depth + "a:" for depth in range(3_000)), "nested too deeply"),
    "many-digits": ("a: " + "9" * 100_000, "is not YAML"),
    "python-object": ('a: !!python/object/apply:os.system ["false"]', "could not determine a constructor"),
    "wrong-tag": ("a: !!int []", "is not YAML"),
    "tag-of-nothing": ("a: !!bool perhaps", "is not YAML"),
    "zero-byte": ("a: \0", "unacceptable character #x0000"),
    "binary": (bytes(range(256)), "is not YAML: 'utf-8' codec can't decode"),
    "key-twice": ("spec:\n  a: 1\n  a: 2", "the key 'a' stands twice; leave one"),
    "key-twice-json": ('{"spec": {"a": 1, "a": 2}}', "the key 'a' stands twice; leave one"),
    "list-as-key": ("? [a]\n: 1", "unhashable key"),
    "unended": ('a: "' + "\\" * 100_001, "is not YAML"),
}


def _within_bounds(function: object, argument: str, answers: multiprocessing.Queue[str]) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, PROCESSOR_SECONDS))
    try:
        answers.put(repr(function(argument)))  # type: ignore[operator]
    except click.ClickException as error:
        answers.put(f"refused: {error.message}")
    except BaseException as error:  # noqa: BLE001 -- the parent tells
        answers.put(f"raised {type(error).__name__}")


@pytest.mark.parametrize("name", HARMFUL)
def test_what_means_harm_is_refused_in_a_sentence_and_within_bounds(name: str, tmp_path: Path) -> None:
    content, said = HARMFUL[name]
    path = tmp_path / "file.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    answers: multiprocessing.Queue[str] = multiprocessing.get_context("fork").Queue()
    process = multiprocessing.get_context("fork").Process(
        target=_within_bounds, args=(yaml_documents, str(path), answers)
    )
    process.start()
    answer = answers.get(timeout=2 * PROCESSOR_SECONDS)
    process.join()
    assert answer.startswith(f"refused: {path} is not YAML")
    assert said in answer


@pytest.mark.parametrize(
    ("content", "documents"),
    [
        (b"", []),
        (b"---\n---\n", [None, None]),
        (b"\xef\xbb\xbfkind: x\r\nb: 1\r\n", [{"kind": "x", "b": 1}]),
        (b'\xef\xbb\xbf{"kind":\t"x"}', [{"kind": "x"}]),
        (b"at: 2026-01-01T00:00:00Z", [{"at": "2026-01-01T00:00:00Z"}]),
        (b"a: &a {k: 1, l: 2}\nb: {<<: *a, k: 3}", [{"a": {"k": 1, "l": 2}, "b": {"k": 3, "l": 2}}]),
        (b"- 1\n- 2\n---\ntext", [[1, 2], "text"]),
    ],
    ids=["empty", "nulls", "windows", "json-with-tabs", "instant", "merged", "no-objects"],
)
def test_what_is_odd_but_yaml_is_read(content: bytes, documents: list[object], tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_bytes(content)
    assert yaml_documents(str(path)) == documents


def test_a_file_without_end_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LONGEST_FILE", 1000)
    with pytest.raises(click.ClickException, match="has more than 1,000 characters; give the manifests alone"):
        yaml_documents("/dev/zero")


COMMANDS = ("plan", "lint", "explain", "replay --prometheus-url=http://127.0.0.1:9 --start=-1h")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", HARMFUL)
def test_every_command_refuses_it_without_a_traceback(command: str, name: str) -> None:
    content = HARMFUL[name][0]
    result = CliRunner().invoke(main, [*command.split(), "-f", "-"], input=content)
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert result.output.startswith("Error: - is not YAML")


SHIFT = "apiVersion: meshshift.io/v1alpha1\nkind: TrafficShift\nmetadata: {name: a}\n"
ODD = {
    "spec-list": SHIFT + "spec: []\nstatus: {}",
    "spec-text": SHIFT + "spec: text",
    "spec-number-keys": SHIFT + "spec: {1: 2, null: 3, true: 4}",
    "status-list": SHIFT + "spec: {}\nstatus: [1]",
    "status-nonsense": SHIFT
    + "spec: {}\nstatus: {phase: 7, history: x, conditions: [1], checkpoint: 5, evidence: {}, step: []}",
    "checkpoint-nonsense": SHIFT + "spec: {}\nstatus: {phase: Progressing, checkpoint: '{}'}",
    "metadata-list": "kind: TrafficShift\nmetadata: [name]\nspec: {}",
    "name-number": "kind: TrafficShift\nmetadata: {name: 7}\nspec: {}",
    "namespace-number": "kind: TrafficShift\nmetadata: {name: a, namespace: 7}\nspec: {}",
    "kind-list": "kind: [TrafficShift]",
    "not-a-number": SHIFT + "spec: {service: .nan}",
    "infinite": SHIFT + "spec: {analysis: {tolerance: .inf}}",
    "terminal": SHIFT.replace("name: a", 'name: "a\\e[2J\\r\\nError: all is well"') + "spec: {}",
    "half-a-pair": '{"kind": "TrafficShift", "metadata": {"name": "\\ud800"}, "spec": {"service": "\\ud800"}}',
    "direction-in-error": "a: [\u202e",
    "namespace-path": "kind: TrafficShift\nmetadata: {name: a, namespace: ../../b}\nspec: {}",
    "items-of-items": "items: [{items: [{kind: TrafficShift}]}]",
    "list-of-nulls": "kind: List\nitems: [null, 1, [], {}]",
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ODD)
def test_documents_of_any_shape_end_in_an_answer_or_a_sentence(command: str, name: str) -> None:
    result = CliRunner().invoke(main, [*command.split(), "-f", "-"], input=ODD[name])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    assert all(line.isprintable() for line in result.output.split("\n"))
