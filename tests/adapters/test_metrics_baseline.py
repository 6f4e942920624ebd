"""Metrics of a shift with a baseline: three weights that add up, and the baseline named as what is compared."""

from __future__ import annotations

import re

import pytest

from meshshift.adapters.metrics_shifts import ShiftSeries
from meshshift.adapters.metrics_snapshot import ShiftSnapshot, snapshot_of
from meshshift.core.decision import Decision
from meshshift.core.observation import Observation
from tests.engine.simulation import KEY, Document, Silent
from tests.engine.test_baseline import BASELINE, at, world


class Metered(Silent):
    """A journal that keeps the snapshot of the latest decision."""

    snapshot: ShiftSnapshot | None = None

    def decided(
        self, key: tuple[str, str], shift: Document, observation: Observation | None, decision: Decision
    ) -> None:
        self.snapshot = snapshot_of(shift, observation, decision, self.snapshot)


def weight(text: str, subset: str, source: str) -> float:
    """The one sample of a subset's weight."""
    (found,) = re.findall(rf'meshshift_shift_weight_ratio{{.*subset="{subset}",source="{source}"}} (.*)', text)
    return float(found)


def test_three_weights_add_up_and_the_baseline_is_named_as_the_control() -> None:
    simulation, journal, series = world(), Metered(), ShiftSeries()
    simulation.reconciler.journal = journal
    simulation.run(300, until=at(50, 25, 25))
    simulation.run(11)
    assert journal.snapshot is not None
    series.put(KEY, journal.snapshot)
    text = series.exposition()
    for subset, ratio in (("v1", 0.5), ("v2", 0.25), (BASELINE, 0.25)):
        for source in ("desired", "observed", "measured"):
            assert weight(text, subset, source) == pytest.approx(ratio)
    assert f'indicator="success-rate",subset="{BASELINE}"}}' in text
    assert 'indicator="success-rate",subset="v1"}' not in text
