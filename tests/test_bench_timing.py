"""The clocks of bench/: turns, agreement before time, the search for a tolerance, memory peaks."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import numpy as np
import pytest

from xpfit.bench.children import MIB, run_code
from xpfit.bench.machine import describe_machine, parallel_readers
from xpfit.bench.peers import Model, objective_value
from xpfit.bench.sizes import VARIABLE, chosen_size
from xpfit.bench.timing import DisagreementError, Timing, compare
from xpfit.bench.tolerance import loosest_tolerance, race


def difference(a: object, b: object) -> float:
    return abs(a - b)


def quick(**contestants: object) -> dict:
    return {"contestants": contestants, "pause": 0.0, "shortest_sample": 0.0}


def test_contestants_alternate_after_the_warm_up() -> None:
    calls: list[str] = []
    found = compare(
        {name: (lambda name=name: calls.append(name)) for name in "ABC"},
        rounds=3, warmup=2, pause=0.0, shortest_sample=0.0,
    )  # fmt: skip
    assert "".join(calls) == "ABC" + "AABBCC" + "ABC" * 3
    assert [len(timing.samples) for timing in found.timings.values()] == [3, 3, 3]
    assert found.reference == "A"
    assert found.ratio("A") == 1.0


def test_results_that_differ_are_not_timed() -> None:
    calls: list[str] = []

    def wrong() -> float:
        calls.append("wrong")
        return 1.001

    with pytest.raises(DisagreementError, match=r"'wrong' differs from 'right' by 0\.001"):
        compare(rounds=5, error=difference, tolerance=1e-6, **quick(right=lambda: 1.0, wrong=wrong))
    assert len(calls) == 1


def test_nan_agrees_with_nothing() -> None:
    with pytest.raises(DisagreementError):
        compare(
            rounds=1, error=difference, tolerance=1e9,
            **quick(right=lambda: 1.0, wrong=lambda: math.nan),
        )  # fmt: skip


def test_the_error_is_kept_and_an_unchecked_contestant_has_none() -> None:
    found = compare(
        rounds=1, error=difference, tolerance=0.1, reference="b", unchecked=frozenset({"c"}),
        **quick(a=lambda: 1.01, b=lambda: 1.0, c=lambda: "no number"),
    )  # fmt: skip
    assert found.timings["a"].error == pytest.approx(0.01)
    assert found.timings["c"].error is None
    assert found.as_dicts()[1]["ratio"] == 1.0


def test_synchronize_sees_every_result() -> None:
    seen: list[object] = []
    compare(rounds=2, synchronize=seen.append, **quick(a=lambda: 7))
    assert seen == [7] * 4


def test_median_and_spread() -> None:
    timing = Timing("a", 9.0, (1.0, 2.0, 3.0, 4.0, 100.0))
    assert (timing.median, timing.spread) == (3.0, 2.0)
    assert Timing("a", 9.0, (1.0,)).spread == 0.0


def test_a_short_call_is_repeated_within_a_sample() -> None:
    found = compare({"a": lambda: None}, rounds=1, pause=0.0, shortest_sample=1e-3)
    assert found.timings["a"].calls > 10


def test_the_loosest_tolerance_is_found_and_the_hopeless_are_given_up() -> None:
    found = loosest_tolerance(lambda tol: tol, float, 0.0, 2e-5)
    assert 2e-6 < found.tol < 2e-5
    assert found.gap == pytest.approx(found.tol)
    none = loosest_tolerance(lambda tol: 1.0, float, 0.0, 1e-8)
    assert math.isnan(none.tol)
    assert "1e-12" in none.why_not
    slow = loosest_tolerance(lambda tol: 1.0, float, 0.0, 1e-8, most_seconds=-1.0)
    assert "given up" in slow.why_not


def test_a_race_is_run_at_those_tolerances() -> None:
    used: dict[str, list[float]] = {"ours": [], "peer": []}

    def fit(name: str, exact: float) -> object:
        return lambda tol: used[name].append(tol) or tol * exact

    contestants = {"ours": fit("ours", 1.0), "peer": fit("peer", 100.0)}
    outcome = race(
        contestants, float, ours="ours", tightest={"ours": 1e-12}, accuracy=1e-6, rounds=2,
        pause=0.0,
    )  # fmt: skip
    assert outcome.found["ours"].tol > 10.0 * outcome.found["peer"].tol
    assert set(used["peer"][-2:]) == {outcome.found["peer"].tol}
    assert len(outcome.notes()) == 2


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(3, 5), (70_000, 9), (131_077, 33)])
def test_every_reader_reads_every_word(shape: tuple[int, int], order: str) -> None:
    X = np.asarray(np.random.default_rng(0).standard_normal(shape), order=order)
    expected = int(np.sum(X.view(np.int64) if order == "C" else X.T.view(np.int64)))
    assert {name: read() for name, read in parallel_readers(X).items()} == dict.fromkeys(
        parallel_readers(X), expected
    )


def test_the_machine_is_described_without_names_and_paths() -> None:
    text = str(describe_machine())
    assert os.uname().nodename not in text
    assert os.path.expanduser("~") not in text  # noqa: PTH111 - the word, not a path
    assert "/" not in text.replace("Linux", "")


@pytest.mark.parametrize(("copies", "expected"), [(0, 0.0), (1, 64.0)])
def test_the_peak_meter_sees_a_copy(copies: int, expected: float) -> None:
    code = (
        "import json, numpy as np\nfrom xpfit.bench.children import PeakMeter\n"
        "X = np.ones(8 << 20)\nmeter = PeakMeter()\nmeter.start()\n"
        f"for _ in range({copies}): X.copy()\n"
        "print(json.dumps({'rise': meter.rise()}))"
    )
    answer, _ = run_code(code)
    assert abs(answer["rise"] / MIB - expected) < 4.0


def test_a_child_that_fails_says_why() -> None:
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        run_code("1 / 0")


def test_the_judge_is_the_objective() -> None:
    X, y = np.asarray([[1.0], [2.0]]), np.asarray([0, 1])
    one = objective_value(X, y, Model(np.asarray([[0.5]]), np.asarray([0.1]), None), 0.2)
    by_hand = (math.log1p(math.exp(0.6)) + math.log1p(math.exp(-1.1))) / 2.0 + 0.5 * 0.2 * 0.25
    assert one == pytest.approx(by_hand, rel=1e-14)
    # Two classes as a softmax with coefficients -w/2 and w/2 lose the same.
    W, b = np.asarray([[-0.25, 0.25]]), np.asarray([-0.05, 0.05])
    assert objective_value(X, y, Model(W, b, None), 0.4) == pytest.approx(by_hand, rel=1e-14)
    assert objective_value(2.0 * X, y, Model(W, b, None), 0.4, 2.0) == pytest.approx(by_hand)


def test_an_unknown_size_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "huge")
    with pytest.raises(ValueError, match="'huge' is no size"):
        chosen_size()


def test_a_tiny_run_does_not_overwrite_results() -> None:
    command = [sys.executable, "-P", "-m", "xpfit.bench.speed_table", "--size", "tiny"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--out" in done.stderr
