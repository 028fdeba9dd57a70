"""Every row of the speed table at tiny size: it runs, contestants agree, the report is written.

What a row measures in seconds is never tested: a test machine is busy with other things.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from xpfit.bench import speed_table

# Targets that hold at any size, on any machine: they are no times.
MEMORY_LABELS = ("peak, X included", "objective difference", "objective - scikit-learn's")


def check_figures(row: dict[str, Any]) -> None:
    assert row["figures"]
    for figure in [*row["figures"], *row["details"]]:
        assert math.isfinite(figure["value"]), figure
        if any(label in figure["label"] for label in MEMORY_LABELS):
            assert figure["reached"] is not False, figure


@pytest.mark.parametrize("key", speed_table.ROWS)
def test_speed_table_row_runs(key: str, tmp_path: Path) -> None:
    said: list[str] = []
    measured = speed_table.measure([key], "tiny", 1, said.append)
    check_figures(measured[key])
    assert key in said[0]
    results = speed_table.merge(tmp_path / "speed-table.json", measured, "tiny")
    written = speed_table.write(results, tmp_path)
    assert json.loads(written[0].read_text("utf-8"))["rows"][key]["figures"]
    assert f"## {key}" in written[1].read_text("utf-8")
