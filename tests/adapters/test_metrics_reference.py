from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from meshshift.adapters.metrics import Metrics
from meshshift.adapters.metrics_catalog import CATALOG
from meshshift.adapters.metrics_reference import EXAMPLES, PAGE, reference_page
from tests.adapters.story import Story
from tests.adapters.test_metrics import everything_once, scraped

if TYPE_CHECKING:
    from pathlib import Path

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")


def test_the_reference_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference_page(), "run python -m meshshift.adapters.metrics_reference"


def test_the_page_tells_every_metric_with_its_labels() -> None:
    page = reference_page()
    for metric in CATALOG:
        told = page.split(f"### {metric.name}\n", 1)[1].split("\n#", 1)[0]
        assert metric.meaning in told
        for label in metric.labels:
            assert f"`{label.name}`" in told
            for value in label.values:
                assert f"`{value}`" in told


def test_names_are_unique_and_prefixed() -> None:
    names = [metric.name for metric in CATALOG]
    assert len(set(names)) == len(names)
    assert all(name.startswith("meshshift_") for name in names)


@pytest.mark.lab
@needs_promtool
def test_promtool_finds_nothing_to_complain_about() -> None:
    metrics = Metrics()
    everything_once(metrics)
    Story(metrics).begin()
    done = subprocess.run(["promtool", "check", "metrics"], input=metrics.render(), capture_output=True, check=False)
    assert (done.returncode, done.stderr.decode()) == (0, "")


@pytest.mark.lab
@needs_promtool
def test_the_examples_are_promql_over_metrics_that_exist(tmp_path: Path) -> None:
    exported = {name for name, _, _ in scraped(Metrics())} | {metric.name for metric in CATALOG}
    rules = tmp_path / "rules.yaml"
    lines = "".join(f"  - record: example:number_{i}\n    expr: {query!r}\n" for i, (_, query) in enumerate(EXAMPLES))
    rules.write_text(f"groups:\n- name: examples\n  rules:\n{lines}", encoding="utf-8")
    done = subprocess.run(["promtool", "check", "rules", str(rules)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    for _, query in EXAMPLES:
        words = "".join(each if each.isidentifier() or each.isdigit() else " " for each in query).split()
        assert {word for word in words if word.startswith("meshshift_")} <= exported
