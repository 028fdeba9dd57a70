"""The comparison of held-out scores at tiny size: it runs, and no score is far below the other."""

from __future__ import annotations

import json
from pathlib import Path

from xpfit.bench import network_scores


def test_scores_are_written(tmp_path: Path) -> None:
    page = tmp_path / "networks.md"
    page.write_text("a\n<!-- scores -->\nold\n<!-- end of scores -->\nz\n", "utf-8")
    words = ["--size", "tiny", "--seeds", "2", "--out", str(tmp_path), "--docs", str(page)]
    assert network_scores.main(words) == 0
    (row,) = json.loads((tmp_path / "network-scores.json").read_text("utf-8"))["rows"]
    assert min(row["differences"].values()) > -0.1
    assert "| digits |" in page.read_text("utf-8")
    assert "old" not in page.read_text("utf-8")
