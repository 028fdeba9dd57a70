"""Where two rungs cross, and what `auto` makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from xpfit.bench.ladder.charts import crossover
from xpfit.estimators import _crossover


def _times(**by_rung: list[float]) -> list[dict[str, Any]]:
    return [
        {"case": "c", "rung": rung, "n": 10**k, "median_s": seconds}
        for rung, times in by_rung.items()
        for k, seconds in enumerate(times)
    ]


def test_where_two_rungs_cross() -> None:
    records = _times(slow=[1.0, 10.0, 100.0], fast=[10.0, 10.0, 10.0])
    assert crossover(records, "c", "slow", "fast") == pytest.approx(10.0)
    assert crossover(records, "c", "fast", "slow") is None
    assert crossover(_times(slow=[2.0, 4.0], fast=[1.0, 1.0]), "c", "slow", "fast") is None


def test_the_crossover_of_auto_is_kept_for_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_crossover, "crossover_file", lambda: tmp_path / "kept.json")
    _crossover.auto_crossover.cache_clear()
    try:
        assert _crossover.auto_crossover() == _crossover.DEFAULT
        assert _crossover.save_crossover(123_456.7) == tmp_path / "kept.json"
        assert _crossover.auto_crossover() == 123_456
        _crossover.save_crossover(0.0)
        assert _crossover.auto_crossover() == _crossover.DEFAULT
        _crossover.save_crossover(float("inf"))
        assert _crossover.auto_crossover() == 10_000_000
        for text in ("", "{}", '{"elements": "many"}', '{"elements": -1}', "[]"):
            (tmp_path / "kept.json").write_text(text)
            _crossover.auto_crossover.cache_clear()
            assert _crossover.auto_crossover() == _crossover.DEFAULT
    finally:
        _crossover.auto_crossover.cache_clear()
