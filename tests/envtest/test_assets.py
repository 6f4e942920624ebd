"""Whoever asks for a real control plane without having one is told the variable, the files, and how to get them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.envtest.control_plane import PROGRAMS, VARIABLE, missing_assets, running_control_plane

ROOT = Path(__file__).parents[2]


def test_an_unset_variable_is_named_with_the_files_and_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    said = missing_assets()
    assert said.startswith("KUBEBUILDER_ASSETS is not set: ")
    assert all(word in said for word in (*PROGRAMS, "setup-envtest use"))


def test_a_directory_without_the_programs_is_named_with_what_it_lacks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    (tmp_path / "etcd").touch(mode=0o755)
    assert f"{VARIABLE}={tmp_path} holds no program kube-apiserver: " in missing_assets()
    with pytest.raises(RuntimeError, match="setup-envtest use"), running_control_plane():
        pass


def test_a_program_that_ends_at_once_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    for name in PROGRAMS:
        (tmp_path / name).write_text("#!/bin/sh\necho no disk left >&2\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    with pytest.raises(RuntimeError, match=r"etcd ended with status 1\nno disk left"), running_control_plane():
        pass


def test_asked_as_a_program_it_fails_with_the_same_words(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.envtest.control_plane"],
        env={"PATH": "/usr/bin", VARIABLE: str(tmp_path)},
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 1
    assert "holds no program etcd and no kube-apiserver" in done.stderr
