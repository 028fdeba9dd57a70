"""The ladder: rungs agree, what disagrees or is not synchronized is caught, nothing is mixed."""

from __future__ import annotations

import dataclasses
import functools
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_helpers import run

from xpfit.backends import Backend, available_backends, get_backend
from xpfit.bench.ladder import fused, loops, rates
from xpfit.bench.ladder.case import relative_difference
from xpfit.bench.ladder.cases import CASES
from xpfit.bench.ladder.measure import NO_TIME, agreeing, measure, measure_size, scale_loops
from xpfit.bench.ladder.page import ResultsError, losing, markdown, read_results
from xpfit.bench.ladder.rungs import COMPILED, FUSED, LOOP, VECTORIZED, device_rung, prepare_rungs
from xpfit.core.losses import HALF_BINOMIAL, HALF_MULTINOMIAL, HALF_SQUARED_ERROR
from xpfit.core.passes import loss_gradient

HOST = frozenset({"numpy", "numba"})
USABLE = frozenset(status.name for status in available_backends() if status.available)
TINY = 40


@pytest.mark.parametrize("name", CASES)
def test_all_rungs_of_a_case_agree(name: str) -> None:
    case = CASES[name]
    inputs = case.make(TINY, np.random.default_rng(1))
    rungs, failed = prepare_rungs(case, inputs, TINY, USABLE)
    assert failed == {}
    errors, refused, _ = agreeing(case, rungs)
    assert refused == {}
    assert len(errors) >= 2
    if case.loop is not None:
        assert {VECTORIZED, LOOP, COMPILED} <= set(errors)
    assert case.bytes_moved(TINY) > 0 or name == "logistic_fit"  # which reads X many times


def test_a_nan_is_no_agreement() -> None:
    assert relative_difference((1.0, np.nan), (1.0, 2.0)) == np.inf
    assert relative_difference((1.0, np.asarray([np.nan, 1.0])), (1.0, np.ones(2))) == np.inf
    assert relative_difference((1.0,), (1.0, 2.0)) == np.inf
    assert relative_difference(np.ones(3), np.ones(2)) == np.inf
    assert relative_difference((), ()) == 0.0


def test_only_the_backends_that_were_asked_for_are_timed() -> None:
    for name in ("logistic_fit", "affine"):
        case = CASES[name]
        inputs = case.make(TINY, np.random.default_rng(0))
        rungs, _ = prepare_rungs(case, inputs, TINY, frozenset({"numpy"}))
        assert not [rung for rung in rungs if "Numba" in rung or "JAX" in rung]


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
    big, _ = prepare_rungs(case, case.make(2_000_000, np.random.default_rng(0)), 2_000_000, HOST)
    assert LOOP not in big


def test_a_budget_that_is_spent_is_said_so() -> None:
    sizes = (10, 20, 30)
    found = list(
        measure(
            [CASES["affine"]], lambda case: sizes, HOST, None, budget=0.0, rounds=1, pause=0.0
        )
    )  # fmt: skip
    assert [n for _, n, _ in found] == [10, 20, 30]
    # The first is always measured: an empty table tells nobody anything.
    assert any("median_s" in record for record in found[0][2])
    for _, _, (record,) in found[1:]:
        assert record["refused"] == NO_TIME


def test_data_that_do_not_fit_are_a_finding() -> None:
    def make(n: int, rng: Any) -> Any:
        message = "16 TiB"
        raise MemoryError(message)

    case = dataclasses.replace(CASES["affine"], make=make)
    (record,) = measure_size(case, TINY, HOST, None, rounds=1, pause=0.0)
    assert record["refused"] == "the data do not fit: 16 TiB"


def test_a_rung_that_cannot_be_prepared_is_reported() -> None:
    def broken(*_: Any) -> Any:
        message = "device out of memory"
        raise RuntimeError(message)

    case = dataclasses.replace(CASES["affine"], fused=broken)
    records = {r["rung"]: r for r in measure_size(case, TINY, HOST, None, rounds=1, pause=0.0)}
    assert records[FUSED]["refused"] == "failed: RuntimeError: device out of memory"
    assert records[VECTORIZED]["median_s"] > 0.0


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
    for text in ("{", "[]", '{"format": 1, "records": []}', '{"format": 2, "records": []}'):
        path.write_text(text)
        with pytest.raises(ResultsError, match="Name another folder"):
            read_results(path, results["machine"])
    path.write_text(json.dumps({**results, "format": 2}))
    with pytest.raises(ResultsError, match="has format 2, not 1"):
        read_results(path, results["machine"])


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (
            ["--cases", "affin"],
            2,
            "there is no case 'affin' (did you mean 'affine'?); the cases are affine, ",
        ),
        (["--backends", "nunpy"], 2, "unknown backend 'nunpy' (from --backends)"),
        (["--sizes", "10,-3"], 2, "'-3' is no whole number of at least 2"),
        (["--sizes", "²"], 2, "'²' is no whole number of at least 2"),
        (["--budget", "0"], 2, "--budget"),
    ],
)
def test_refusals(tmp_path: Path, arguments: list[str], code: int, text: str) -> None:
    _, error = run("bench", *arguments, "--out", tmp_path / "out", code=code)
    assert text in error
    assert not (tmp_path / "out").exists()


def test_results_go_to_a_folder_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    _, error = run("bench", "--out", tmp_path, code=2)
    assert "holds files that xpfit did not write (notes.txt)" in error
    _, error = run("bench", "--out", tmp_path / "notes.txt", code=2)
    assert "is a file; name a folder" in error


def test_the_command_measures_writes_and_adds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What a machine's memory can do takes 256 MiB and half a minute to find out.
    few = functools.partial(rates.measure_rates, size=1 << 20, order=64)
    monkeypatch.setattr(rates, "measure_rates", few)
    out = tmp_path / "out"
    arguments = ("bench", "--backends", "numpy", "--sizes", "30", "--out", out)
    text, _ = run(*arguments, "--cases", "affine,column_sums")
    assert "affine" in text
    assert sorted(path.name for path in out.iterdir()) == [
        "ladder.html", "ladder.json", "ladder.md", "ladder.png", "roofline.png",
    ]  # fmt: skip
    # The budget is spent before the second case: what was there before is kept.
    monkeypatch.setattr(rates, "measure_rates", lambda rounds: time.sleep(1.0) or few(rounds=1))
    run(*arguments, "--cases", "dot,affine", "--quiet", "--budget", "1")
    results = json.loads((out / "ladder.json").read_text("utf-8"))
    assert {r["case"] for r in results["records"]} == {"affine", "column_sums", "dot"}
    assert "NaN" not in (out / "ladder.json").read_text("utf-8")
    page = (out / "ladder.html").read_text("utf-8")
    assert "data:image/png;base64," in page
    for name in ("affine", "column_sums", "dot"):
        assert f"id='{name}'" in page
