"""Both ends of a shift in a row: a good version is promoted, and the bad one that follows is rolled back to it."""

from __future__ import annotations

from meshshift.lab.demo.scenarios import errors, good
from meshshift.lab.demo.story import Scenario

SCENARIO = Scenario("demo", "a good version is promoted, then a bad one is rolled back", (good.ACT, errors.act("v2")))
