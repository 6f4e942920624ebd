"""Take out one guard at a time and see the tests fail that stand for it.

    make mutants                          every guard
    make mutants ARGS="drift settle"      those whose name contains one of the words

Each guard is taken out of a copy of the tree, never of the tree itself, and the tests that it is paired with are run
there.  A guard counts as held only if pytest ran and found a failure (exit status 1): a copy that cannot even be
imported proves nothing.  Before that, all of the tests have to pass in the copies as they are.  The exit status is 1
if the absence of any guard went unnoticed.
"""

from __future__ import annotations

import os
import queue
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import cache_from_source
from pathlib import Path
from typing import TYPE_CHECKING

from tests.safety.guards import GUARDS

if TYPE_CHECKING:
    from tests.safety.guard import Guard

ROOT = Path(__file__).parents[2]
PASSED, TESTS_FAILED = 0, 1
AT_ONCE = max(1, os.cpu_count() or 2)
PYTEST = (sys.executable, "-m", "pytest", "-x", "-q", "-m", "not lab", "-p", "no:cacheprovider")
SCHEDULES = "50"
"""Schedules of faults in which the absence of a guard has to show; the suite itself runs a thousand."""
LONGEST = 300.0
"""Seconds after which the tests of one guard are given up: a mutant that hangs was not noticed."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of the tree, in which one thing is run at a time."""

    tree: Path

    def without(self, guard: Guard) -> tuple[int, str]:
        """Pytest's exit status with the guard taken out, and the last lines that it wrote."""
        file = self.tree / guard.file
        whole = file.read_text(encoding="utf-8")
        try:
            self._put(file, guard.taken_out_of(whole))
            return self.run(guard.arguments)
        finally:
            self._put(file, whole)

    def run(self, arguments: tuple[str, ...]) -> tuple[int, str]:
        """Pytest's exit status, and the last lines that it wrote."""
        try:
            done = subprocess.run(
                [*PYTEST, *arguments],
                cwd=self.tree,
                capture_output=True,
                text=True,
                check=False,
                timeout=LONGEST,
                env={**os.environ, "MESHSHIFT_SCHEDULES": SCHEDULES},
            )
        except subprocess.TimeoutExpired:
            return -1, f"not done within {LONGEST:.0f} s"
        return done.returncode, "\n".join((done.stdout + done.stderr).strip().splitlines()[-6:])

    @staticmethod
    def _put(file: Path, text: str) -> None:
        """Compiled code is told from old only by second and size, which a mutant may share."""
        file.write_text(text, encoding="utf-8")
        Path(cache_from_source(file)).unlink(missing_ok=True)


def copied(tree: Path) -> Copy:
    """Everything that git knows, as it stands in the working tree."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        source = ROOT / name
        if source.is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, tree / name)
    return Copy(tree)


def main(words: list[str]) -> int:
    """Run them, one in each copy, and tell about each as soon as it is known."""
    wanted = [guard for guard in GUARDS if not words or any(word in guard.name for word in words)]
    if not wanted:
        _say(f"no guard has {' or '.join(words)} in its name; there are {', '.join(guard.name for guard in GUARDS)}")
        return 1
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="meshshift-mutants-") as directory:
        whole = copied(Path(directory) / "0")
        tests = tuple(dict.fromkeys(test for guard in wanted for test in guard.tests))
        status, output = whole.run(("-n", str(AT_ONCE), *tests))
        if status != PASSED:
            _say(f"the tests do not pass with all guards in place:\n{output}")
            return 1
        _say(f"the tests pass with all guards in place ({time.monotonic() - begun:.0f} s)")
        # Copied after that run, so that compiled code and what hypothesis prepares are there already.
        trees = [Path(directory) / str(number) for number in range(1, AT_ONCE)]
        missed = _take_out(wanted, [whole, *(Copy(Path(shutil.copytree(whole.tree, tree))) for tree in trees)])
    noticed = len(wanted) - len(missed)
    _say(f"{noticed} of {len(wanted)} guards were noticed to be gone, in {time.monotonic() - begun:.0f} s")
    return 1 if missed else 0


def _take_out(wanted: list[Guard], copies: list[Copy]) -> list[Guard]:
    """Those whose absence nobody noticed."""
    free: queue.SimpleQueue[Copy] = queue.SimpleQueue()
    for copy in copies:
        free.put(copy)

    def run(guard: Guard) -> tuple[int, float, str]:
        copy, begun = free.get(), time.monotonic()
        try:
            status, output = copy.without(guard)
        finally:
            free.put(copy)
        return status, time.monotonic() - begun, output

    missed = []
    with ThreadPoolExecutor(len(copies)) as pool:
        for guard, (status, seconds, output) in zip(wanted, pool.map(run, wanted), strict=True):
            noticed = status == TESTS_FAILED
            _say(f"{'noticed' if noticed else 'MISSED '} {seconds:5.1f} s  {guard.name}")
            if not noticed:
                missed.append(guard)
                _say(f"        pytest ended with {status}:\n{output}")
    return missed


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
