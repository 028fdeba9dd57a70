"""The ladder: rungs agree, what disagrees or is not synchronized is caught, nothing is mixed."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_helpers import run

from xpfit.backends import Backend, available_backends, get_backend
from xpfit.bench.ladder import fused, loops
from xpfit.bench.ladder.cases import CASES
from xpfit.bench.ladder.charts import crossover
from xpfit.bench.ladder.measure import agreeing, measure, measure_size, scale_loops
from xpfit.bench.ladder.page import ResultsError, losing, markdown, read_results
from xpfit.bench.ladder.rungs import COMPILED, FUSED, LOOP, VECTORIZED, device_rung, prepare_rungs
from xpfit.core.losses import HALF_BINOMIAL, HALF_MULTINOMIAL, HALF_SQUARED_ERROR
from xpfit.core.passes import loss_gradient
from xpfit.estimators import _crossover

HOST = frozenset({"numpy", "numba"})
USABLE = frozenset(status.name for status in available_backends() if status.available)
TINY = 40


@pytest.mark.parametrize("name", CASES)
def test_all_rungs_of_a_case_agree(name: str) -> None:
    case = CASES[name]
    inputs = case.make(TINY, np.random.default_rng(1))
    rungs = prepare_rungs(case, inputs, TINY, USABLE)
    errors, refused, _ = agreeing(case, rungs)
    assert refused == {}
    assert len(errors) >= 2
    if case.vectorized is not None:
        assert {VECTORIZED, LOOP, COMPILED} <= set(errors)
    assert case.bytes_moved(TINY) > 0


def _sums_of(backend: Backend, inputs: Any, loss: Any) -> list[np.ndarray]:
    X, y, W, b = inputs
    matrix = W if W.ndim == 2 else W[:, None]
    arrays = [backend.from_numpy(np.ascontiguousarray(a)) for a in (X, y, matrix, b)]
    X, y, matrix, b = arrays
    sums = loss_gradient(X, y, None, matrix, b, loss, backend=backend)
    return [np.ravel(np.asarray(backend.to_numpy(part))) for part in sums]


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("logistic_pass", HALF_BINOMIAL),
        ("squared_error_pass", HALF_SQUARED_ERROR),
        ("softmax_pass", HALF_MULTINOMIAL),
    ],
)
def test_the_loops_are_an_oracle_for_the_passes(backend: Backend, name: str, loss: Any) -> None:
    inputs = CASES[name].make(17, np.random.default_rng(2))
    expected = getattr(loops, name)(*inputs)
    for part, other in zip(_sums_of(backend, inputs, loss), expected, strict=True):
        np.testing.assert_allclose(part, np.ravel(other), rtol=1e-10, atol=1e-11)


def test_a_planted_disagreement_is_reported_and_not_timed() -> None:
    wrong = dataclasses.replace(CASES["affine"], fused=fused.fused_map(lambda xp, x: x * 2.0 + 3.1))
    records = {r["rung"]: r for r in measure_size(wrong, TINY, HOST, None, rounds=1, pause=0.0)}
    assert "disagrees by" in records[FUSED]["refused"]
    assert "median_s" not in records[FUSED]
    assert records[COMPILED]["median_s"] > 0.0
    assert "disagrees by" in markdown(_results(list(records.values())))


def test_a_rung_that_fails_is_reported_and_the_others_are_timed() -> None:
    def broken(x: Any) -> Any:
        def fail() -> Any:
            message = "out of memory"
            raise MemoryError(message)

        return fail

    case = dataclasses.replace(CASES["affine"], fused=broken)
    records = {r["rung"]: r for r in measure_size(case, TINY, HOST, None, rounds=1, pause=0.0)}
    assert records[FUSED]["refused"] == "failed: MemoryError: out of memory"
    assert records[VECTORIZED]["median_s"] > 0.0


class Lazy:
    """An array of a device: its value is there once it was waited for."""

    def __init__(self, value: np.ndarray) -> None:
        self.value = value
        self.ready = False


def _lazy_backend(synchronize: Any) -> Backend:
    return dataclasses.replace(
        get_backend("numpy"), jit=lambda f: lambda *a: Lazy(f(*a)), synchronize=synchronize,
        to_numpy=lambda array: array.value, kernels={},
    )  # fmt: skip


def _wait(array: Any) -> None:
    if isinstance(array, Lazy):
        array.ready = True


@pytest.mark.parametrize(("synchronize", "ready"), [(_wait, True), (lambda array: None, False)])
def test_a_rung_returns_when_its_result_is_there(synchronize: Any, ready: bool) -> None:
    # The second is planted: a backend that does not wait would be seen by this test.
    case = CASES["affine"]
    inputs = case.make(TINY, np.random.default_rng(0))
    rung = device_rung(case, inputs, _lazy_backend(synchronize), "lazy")
    result = rung.run()
    assert result.ready is ready
    np.testing.assert_allclose(rung.to_host(result), inputs[0] * 2.0 + 3.0)
    assert rung.transfer is not None


def test_python_loops_are_scaled_in_a_column_of_their_own_only() -> None:
    case = CASES["affine"]
    timed = {"case": "affine", "n": 100, "rung": LOOP, "median_s": 1e-5}
    later = {"case": "affine", "n": 1000, "rung": VECTORIZED, "median_s": 1e-6}
    other = {"case": "dot", "n": 1000, "rung": VECTORIZED, "median_s": 1e-6}
    scale_loops({"affine": case, "dot": CASES["dot"]}, [timed, later, other])
    assert later["scaled_loop_s"] == pytest.approx(1e-4)
    assert later["scaled_from_n"] == 100
    assert "scaled_loop_s" not in timed
    assert "scaled_loop_s" not in other
    big = prepare_rungs(case, case.make(2_000_000, np.random.default_rng(0)), 2_000_000, HOST)
    assert LOOP not in big


def test_a_budget_that_is_spent_is_said_so() -> None:
    found = list(measure([CASES["affine"]], lambda case: (10, 20), HOST, None, budget=0.0))
    assert [n for _, n, _ in found] == [10, 20]
    for _, _, (record,) in found:
        assert record["refused"] == "no time was left in the budget"


def _results(records: list[dict[str, Any]], **machine: Any) -> dict[str, Any]:
    described = {
        "cpu": "a", "cores": 2, "memory_gib": 1.0, "system": "b", "python": "3", "versions": {},
        "blas": [], "commit": "c", "date": "d", **machine,
    }  # fmt: skip
    whats = {name: case.what for name, case in CASES.items()}
    return {
        "format": 1, "machine": described, "rates": {"read": 1e10, "copy": 1e10, "matrix": 1e10},
        "cases": whats, "records": records,
    }  # fmt: skip


def test_losing_cases_are_listed() -> None:
    records = [
        {"case": "dot", "n": 10, "rung": FUSED, "speedup": 0.5},
        {"case": "dot", "n": 10, "rung": LOOP, "speedup": 0.01},
        {"case": "dot", "n": 10, "rung": COMPILED, "speedup": 2.0},
    ]
    assert losing(records) == records[:1]


def test_results_of_another_machine_are_never_mixed(tmp_path: Path) -> None:
    path = tmp_path / "ladder.json"
    results = _results([])
    path.write_text(json.dumps(results))
    assert read_results(path, results["machine"]) == results
    with pytest.raises(ResultsError, match=r"another machine.*never mixed.*--overwrite"):
        read_results(path, {**results["machine"], "cpu": "faster"})
    for text in ("{", "[]", '{"format": 2, "records": [], "machine": {}}'):
        path.write_text(text)
        with pytest.raises((ResultsError, KeyError)):
            read_results(path, results["machine"])


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
        assert _crossover.save_crossover(12_345.6) == tmp_path / "kept.json"
        assert _crossover.auto_crossover() == 12_345
        _crossover.save_crossover(float("inf"))
        assert _crossover.auto_crossover() == 10_000_000
        for text in ("", "{}", '{"elements": "many"}', '{"elements": -1}', "[]"):
            (tmp_path / "kept.json").write_text(text)
            _crossover.auto_crossover.cache_clear()
            assert _crossover.auto_crossover() == _crossover.DEFAULT
    finally:
        _crossover.auto_crossover.cache_clear()


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--cases", "affin"], 2, "there is no case 'affin'; the cases are affine, "),
        (["--backends", "nunpy"], 2, "unknown backend 'nunpy' (from --backends)"),
        (["--sizes", "10,-3"], 2, "'-3' is no whole number of at least 2"),
        (["--budget", "0"], 2, "--budget"),
    ],
)
def test_refusals(tmp_path: Path, arguments: list[str], code: int, text: str) -> None:
    _, error = run("bench", *arguments, "--out", tmp_path / "out", code=code)
    assert text in error
    assert not (tmp_path / "out").exists()


def test_the_command_measures_writes_and_adds(tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ("bench", "--backends", "numpy", "--sizes", "30", "--out", out)
    text, _ = run(*arguments, "--cases", "affine,column_sums")
    assert "affine" in text
    assert sorted(path.name for path in out.iterdir()) == [
        "ladder.html", "ladder.json", "ladder.md", "ladder.png", "roofline.png",
    ]  # fmt: skip
    run(*arguments, "--cases", "dot", "--quiet")
    results = json.loads((out / "ladder.json").read_text("utf-8"))
    assert {r["case"] for r in results["records"]} == {"affine", "column_sums", "dot"}
    assert "NaN" not in (out / "ladder.json").read_text("utf-8")
    page = (out / "ladder.html").read_text("utf-8")
    assert "data:image/png;base64," in page
    for name in ("affine", "column_sums", "dot"):
        assert f"id='{name}'" in page
