"""A guard: a place in the product without which a promise to users would be broken, and the tests that notice."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Guard:
    """`code` stands exactly once in `file`; with `without` in its place the guard is gone, and `tests` must fail.

    `promise` is what users lose with it, as a sentence in the present tense.
    """

    name: str
    promise: str
    file: str
    code: str
    without: str
    tests: tuple[str, ...]

    def taken_out_of(self, text: str) -> str:
        """The file's text without the guard; raises ValueError unless the guard stands there exactly once."""
        if (found := text.count(self.code)) != 1:
            raise ValueError(f"guard {self.name}: its code stands {found} times in {self.file}, expected once")
        return text.replace(self.code, self.without)

    @property
    def arguments(self) -> tuple[str, ...]:
        """What to give to pytest."""
        return self.tests


def at(file: str, *names: str) -> tuple[str, ...]:
    """The ids of tests in one file below tests/, without the `test_` that all of them begin with."""
    return tuple(f"tests/{file}::test_{name}" for name in names)


def course(*names: str) -> tuple[str, ...]:
    """Tests of whole runs."""
    return at("engine/test_course.py", *names)


def drift(*names: str) -> tuple[str, ...]:
    """Tests of runs whose weights or subsets somebody else writes."""
    return at("engine/test_drift.py", *names)
