"""Every rung of every case of the ladder, for pytest-benchmark: runs can be kept and compared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from xpfit.backends import available_backends
from xpfit.bench.ladder.case import Case
from xpfit.bench.ladder.cases import CASES
from xpfit.bench.ladder.measure import agreeing
from xpfit.bench.ladder.rungs import (
    COMPILED,
    DEVICE_LIBRARIES,
    FUSED,
    LOOP,
    VECTORIZED,
    prepare_rungs,
)
from xpfit.bench.sizes import chosen_size

TINY = 50
USABLE = frozenset(status.name for status in available_backends() if status.available)


def _labels(case: Case) -> list[str]:
    titles = [title for title, _ in DEVICE_LIBRARIES.values()]
    own = [VECTORIZED, *titles] if case.vectorized is not None else []
    if case.fused_on_device is not None:
        own += [f"fused {title}" for title in titles]
    looped = [LOOP, COMPILED] if case.loop is not None else []
    return [*own, *looped, *([FUSED] if case.fused is not None else []), *case.peers]


def _parameters() -> list[Any]:
    return [
        pytest.param(
            name, label, id=f"{name}-{label}", marks=[pytest.mark.gpu] if "CuPy" in label else []
        )
        for name, case in CASES.items()
        for label in _labels(case)
    ]


@pytest.mark.parametrize(("name", "label"), _parameters())
def test_rung_speed(benchmark: Any, name: str, label: str) -> None:
    case = CASES[name]
    n = TINY if chosen_size() == "tiny" else case.sizes[1]
    rungs, failed = prepare_rungs(case, case.make(n, np.random.default_rng(0)), n, USABLE)
    assert failed == {}
    rung = next((rungs[found] for found in rungs if found.startswith(label)), None)
    if rung is None:
        pytest.skip(f"{label} is not installed, has no device, or would not end soon at n = {n:,}")
    reference = next(iter(rungs.values()))
    errors, refused, _ = agreeing(case, {reference.name: reference, rung.name: rung})
    assert refused == {}
    benchmark.extra_info["error"] = errors[rung.name]
    benchmark.group = f"{name}, n = {n:,}"
    benchmark.extra_info.update(bytes=case.bytes_moved(n), operations=case.operations(n), n=n)
    benchmark(rung.run)
