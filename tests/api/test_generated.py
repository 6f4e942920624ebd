from __future__ import annotations

import pytest

from meshshift.api.generate import ROOT, generated_files


@pytest.mark.parametrize("path", generated_files(), ids=str)
def test_generated_files_are_current(path: object) -> None:
    """Run `python -m meshshift.api.generate` after changing a model."""
    target = ROOT / str(path)
    assert target.read_text(encoding="utf-8") == {str(k): v for k, v in generated_files().items()}[str(path)]
