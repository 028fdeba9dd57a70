"""The report of the speed table: verdicts, tables, markers, merging, the picture."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from xpfit.bench.figures import Figure, Row
from xpfit.bench.machine import describe_machine
from xpfit.bench.report import END, START, put_between_markers, summary, whole_report
from xpfit.bench.speed_table import ROWS, merge, write
from xpfit.bench.timing import compare

ROOT = Path(__file__).resolve().parent.parent


def row(key: str = "pass", value: float = 1.2) -> dict[str, Any]:
    made = Row(key, "what was measured")
    made.add("time / read", value, 1.4)
    made.add("peer / ours", 3.9, 4.0, sense=">=")
    made.add("information", 7.0, unit="s")
    made.add_detail("set one: time", 0.5, 1.0)
    made.keep("pass", compare({"a": lambda: 1, "b": lambda: 1}, rounds=2, pause=0.0))
    made.notes.append("A note.")
    return {**made.as_dict(), "machine": describe_machine(), "seconds": 1.0}


@pytest.mark.parametrize(
    ("figure", "reached"),
    [
        (Figure("", 1.4, 1.4), True),
        (Figure("", 1.41, 1.4), False),
        (Figure("", 1.0, 1.0, "<"), False),
        (Figure("", 4.0, 4.0, ">="), True),
        (Figure("", 3.9, 4.0, ">="), False),
        (Figure("", math.nan, 4.0), False),
        (Figure("", math.nan, 4.0, ">="), False),
        (Figure("", 1.0), None),
    ],
)
def test_verdict(figure: Figure, reached: bool | None) -> None:
    assert figure.reached is reached


def test_a_missed_target_is_shown_as_missed() -> None:
    text = summary({"size": "tiny", "rows": {"pass": row()}})
    assert "| pass | peer / ours | 3.9 | at least 4 | **no** |" in text
    assert "| pass | time / read | 1.2 | at most 1.4 | yes |" in text
    assert "| pass | information | 7 s |  |  |" in text
    assert "reached: 2 of 3" in text


def test_the_whole_report_has_contestants_details_and_notes() -> None:
    text = whole_report({"size": "tiny", "rows": {"pass": row()}})
    for part in ("| a |", "| b |", "set one: time", "- A note.", "## pass"):
        assert part in text


def test_rows_of_an_earlier_run_are_kept_but_not_those_of_another_size(tmp_path: Path) -> None:
    path = tmp_path / "speed-table.json"
    results = merge(path, {"memory": row("memory"), "pass": row(value=math.nan)}, "tiny")
    assert list(results["rows"]) == ["pass", "memory"]
    write(results, tmp_path)
    assert json.loads(path.read_text("utf-8"))["rows"]["pass"]["figures"][0]["value"] is None
    again = merge(path, {"pass": row()}, "tiny")
    assert list(again["rows"]) == ["pass", "memory"]
    assert again["rows"]["pass"]["figures"][0]["value"] == 1.2
    assert list(merge(path, {"pass": row()}, "full")["rows"]) == ["pass"]


def test_a_figure_that_could_not_be_measured_can_be_written(tmp_path: Path) -> None:
    results = merge(tmp_path / "none", {"pass": row(value=math.nan)}, "tiny")
    for path in write(results, tmp_path):
        assert path.stat().st_size > 0
    assert "| pass | time / read | none | at most 1.4 | **no** |" in summary(results)


def test_the_page_gets_the_table_between_its_markers() -> None:
    page = f"before\n{START}\nold\n{END}\nafter\n"
    once = put_between_markers(page, "new\n")
    assert once == f"before\n{START}\nnew\n{END}\nafter\n"
    assert put_between_markers(once, "new\n") == once
    with pytest.raises(ValueError, match="lacks"):
        put_between_markers("no markers", "new\n")


def test_the_documentation_has_the_markers_and_names_every_row() -> None:
    page = (ROOT / "docs" / "benchmarks.md").read_text("utf-8")
    put_between_markers(page, "")
    assert [key for key in ROWS if f"`{key}`" not in page.partition(END)[2]] == []
