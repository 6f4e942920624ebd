from __future__ import annotations

from meshshift.cli.reference import PAGE, page


def test_the_settings_page_is_current() -> None:
    assert PAGE.read_text() == page(), "run python -m meshshift.cli.reference"


def test_every_row_is_complete() -> None:
    rows = [line for line in page().splitlines() if line.startswith("| `--")]
    assert len(rows) > 15
    assert all("None" not in row and "Sentinel" not in row for row in rows)
