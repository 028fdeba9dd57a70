"""Mini-batch epochs on CuPy, in the emulation: the steps are those of the generic engine on NumPy.

The tests at the end need a GPU.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from cuda_emulation import Kernel, emulated
from emulated_passes import NUMPY, results_of_turns, without_each_barrier
from helpers import LOSS_NAMES, loss_called, targets_for
from optimizer_cases import CASES

from xpfit.backends import Backend
from xpfit.backends.cupy_kernels import batch_kernel, epoch_geometry, epoch_kernel, epoch_source
from xpfit.core.epoch_options import EpochOptions
from xpfit.core.fit_minibatch import fit_by_epochs
from xpfit.core.losses import HALF_BINOMIAL, HALF_MULTINOMIAL, HALF_SQUARED_ERROR
from xpfit.core.minibatch import begin, minibatch_epoch, plan_epoch
from xpfit.core.optimizers import SGD, Adam, Optimizer, RMSProp
from xpfit.core.schedules import Cosine

ONE, TWO = "one launch an epoch", "two launches a step"
N, D = 53, 4
# Steps read these rows only: then the whole-batch pass is not taken for batches of all of them.
TAKEN = 45
LOOKING_AHEAD = SGD(0.05, momentum=0.9, nesterov="lookahead")
SMOOTHED = {"max_norm": 0.3, "average_from": 4}


@pytest.fixture
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How the steps are launched; every problem of these tests is small enough for one block."""
    if request.param == TWO:
        monkeypatch.setattr(epoch_geometry, "MOST_ONE_BLOCK", 0)
    return str(request.param)


both_ways = pytest.mark.parametrize("way", [ONE, TWO], indirect=True)


class Descent:
    """A problem, and two epochs of it on any backend."""

    def __init__(
        self, loss: Any = HALF_BINOMIAL, optimizer: Optimizer | None = None, batch_size: int = 8,
        *, shape: tuple[int, int] = (N, D), taken: int = TAKEN, weighted: bool = True,
        intercept: bool = True, dtype: str = "float64", order: str = "C", **plan: Any,
    ) -> None:  # fmt: skip
        rng = np.random.default_rng([*shape, batch_size])
        n, d = shape
        self.K = 3 if loss.is_multiclass else 1
        self.X = np.asarray(rng.normal(size=shape) * 2.0, order=order)
        self.X = self.X.astype(dtype) if dtype != "uint8" else np.abs(self.X).astype(dtype)
        self.y = rng.integers(0, 3, n) if self.K > 1 else targets_for(loss.name, n, rng)
        self.weight = rng.uniform(0.2, 2.0, n) if weighted else None
        self.start = rng.normal(size=(d + intercept, self.K)) * 0.3
        self.orders = [rng.permutation(n)[:taken] for _ in range(2)]
        self.loss, self.optimizer = loss, Adam(0.02) if optimizer is None else optimizer
        self.batch_size = batch_size
        self.plan = {"l2_reg_strength": 0.02, "average_from": None, **plan}

    def run(self, backend: Backend, move: Any, fused: bool | None = None) -> list[np.ndarray]:
        """Losses, theta, slots, and the average if there is one."""
        dtype = backend.compute_dtype(self.X.dtype)
        X, y, theta = move(self.X), move(self.y), move(self.start.astype(dtype))
        weight = None if self.weight is None else move(self.weight.astype(dtype))
        kept = self.plan["average_from"] is not None
        progress, losses = begin(self.optimizer, theta, average=kept), []
        for order in self.orders:
            taken = sum(map(len, losses))
            plan = plan_epoch(
                self.optimizer, len(order), self.batch_size, steps_taken=taken, **self.plan
            )
            progress, found = minibatch_epoch(
                X, y, weight, order, progress, plan, self.loss, backend=backend, fused=fused
            )
            losses.append(found)
        arrays = [progress.theta, *progress.slots, *([progress.average] if kept else [])]
        assert all(array.dtype == dtype for array in arrays)
        return [np.concatenate(losses), *map(backend.to_numpy, arrays)]

    def check(self, emulation: Backend, way: str = ONE, tolerance: float = 1e-10) -> None:
        """The emulated kernels take the steps of the generic engine, in so many launches."""
        expected = self.run(NUMPY, np.asarray, fused=False)
        Kernel.launched.clear()
        found = self.run(emulation, emulated)
        steps = sum(-(-len(order) // self.batch_size) for order in self.orders)
        if way == ONE:
            assert Kernel.launched == ["minibatch_epoch"] * len(self.orders)
        else:
            assert Kernel.launched == ["batch_sums", "batch_step"] * steps
        for ours, theirs in zip(found, expected, strict=True):
            assert ours.shape == theirs.shape
            np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("optimizer", [case.optimizer for case in CASES.values()], ids=list(CASES))
def test_every_optimizer(emulation: Backend, optimizer: Optimizer) -> None:
    Descent(optimizer=optimizer, **SMOOTHED).check(emulation)


@both_ways
@pytest.mark.parametrize("loss", [HALF_BINOMIAL, HALF_MULTINOMIAL], ids=lambda loss: loss.name)
def test_an_l1_penalty(emulation: Backend, way: str, loss: Any) -> None:
    descent = Descent(loss, SGD(0.05, momentum=0.5), l1_reg_strength=0.6)
    assert (descent.run(NUMPY, np.asarray, fused=False)[1][:D] == 0.0).any()
    descent.check(emulation, way)


@both_ways
@pytest.mark.parametrize("name", LOSS_NAMES)
def test_every_loss(emulation: Backend, way: str, name: str) -> None:
    Descent(loss_called(name), SGD(Cosine(0.05, period=7))).check(emulation, way)


@both_ways
@pytest.mark.parametrize("batch_size", [1, 7, 20, TAKEN, 1000])
@pytest.mark.parametrize("loss", [HALF_BINOMIAL, HALF_MULTINOMIAL], ids=lambda loss: loss.name)
def test_every_batch_size(emulation: Backend, way: str, loss: Any, batch_size: int) -> None:
    Descent(loss, SGD(0.1, momentum=0.9), batch_size).check(emulation, way)


@both_ways
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["float64", "uint8", "float32", "float16"])
def test_x_is_read_as_it_is_stored(emulation: Backend, way: str, dtype: str, order: str) -> None:
    # NumPy's generic engine computes in float64 what starts as float64: the same starting point.
    problem = Descent(dtype=dtype, order=order, shape=(N, 9))
    if dtype in {"float64", "uint8"}:
        problem.check(emulation, way)
        return
    expected = Descent(order=order, shape=(N, 9))
    expected.X = problem.X.astype(np.float64)
    for ours, theirs in zip(
        problem.run(emulation, emulated), expected.run(NUMPY, np.asarray, False), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)


@both_ways
@pytest.mark.parametrize("loss", [HALF_BINOMIAL, HALF_MULTINOMIAL], ids=lambda loss: loss.name)
def test_without_an_intercept_and_without_weights(emulation: Backend, way: str, loss: Any) -> None:
    for optimizer in (LOOKING_AHEAD, SGD(0.1)):
        Descent(loss, optimizer, intercept=False, weighted=False).check(emulation, way)


@both_ways
@pytest.mark.parametrize("loss", [HALF_BINOMIAL, HALF_MULTINOMIAL], ids=lambda loss: loss.name)
def test_clipping_averaging_and_looking_ahead(emulation: Backend, way: str, loss: Any) -> None:
    Descent(loss, LOOKING_AHEAD, 7, **SMOOTHED).check(emulation, way)
    # A norm above all: nothing is clipped, by the same code.
    Descent(loss, LOOKING_AHEAD, 7, max_norm=1e6).check(emulation, way)


@both_ways
def test_many_columns(emulation: Backend, way: str) -> None:
    # More columns than lanes, than threads, and, in steps, parameters of several blocks.
    for d in (31, 100, 700):
        Descent(HALF_SQUARED_ERROR, Adam(0.01), 20, shape=(N, d)).check(emulation, way)
    Descent(HALF_MULTINOMIAL, Adam(0.01), 20, shape=(N, 150), max_norm=0.1).check(emulation, way)


def test_batches_of_several_chunks(emulation: Backend) -> None:
    problem = Descent(optimizer=SGD(0.1), batch_size=600, shape=(700, 3), taken=690)
    assert cut_of(problem).rows == 256
    problem.check(emulation)


def cut_of(problem: Descent) -> epoch_geometry.EpochCut:
    d, n_arrays = problem.X.shape[1], 1 + problem.optimizer.n_slots
    batch_size = min(problem.batch_size, TAKEN if problem.X.shape[0] == N else 10**9)
    cut = epoch_geometry.epoch_cut(d + 1, problem.K, batch_size, n_arrays, 8, True)
    assert cut is not None
    return cut


@pytest.mark.parametrize("loss", [HALF_BINOMIAL, HALF_MULTINOMIAL], ids=lambda loss: loss.name)
def test_a_state_that_stays_in_global_memory(
    emulation: Backend, monkeypatch: pytest.MonkeyPatch, loss: Any
) -> None:
    problem = Descent(loss, RMSProp(0.01, centered=True, momentum=0.5), 16, shape=(N, 40))
    assert cut_of(problem).in_shared
    needed = cut_of(problem).shared_bytes(41, problem.K, 0, 8)
    monkeypatch.setattr(epoch_geometry, "SHARED_BYTES", ((needed, 16),))
    assert not cut_of(problem).in_shared
    problem.check(emulation)


@both_ways
@pytest.mark.parametrize("loss", [HALF_BINOMIAL, HALF_MULTINOMIAL], ids=lambda loss: loss.name)
def test_the_same_bits_whatever_thread_is_first(
    emulation: Backend, monkeypatch: pytest.MonkeyPatch, way: str, loss: Any
) -> None:
    problem = Descent(loss, LOOKING_AHEAD, 20, shape=(N, 40), **SMOOTHED)
    assert len(results_of_turns(monkeypatch, lambda: problem.run(emulation, emulated))) == 1


BARRIERS = [
    (batch_kernel, "BATCH", ONE, 3), (epoch_kernel, "STEP", ONE, 1),
    (epoch_kernel, "EPOCH", ONE, 2), (epoch_source, "SUM_OVER_WARPS", ONE, 1),
    (epoch_kernel, "STEPWISE", TWO, 3),
]  # fmt: skip


@pytest.mark.parametrize(
    ("owner", "name", "way", "count"), BARRIERS, indirect=["way"], ids=lambda part: str(part)[:16]
)
def test_every_barrier_is_needed(
    emulation: Backend, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, way: str, count: int
) -> None:
    # Two chunks, the first of which gives each group of lanes a row in each of its turns.
    problem = Descent(HALF_BINOMIAL, LOOKING_AHEAD, 280, shape=(290, 40), taken=285, max_norm=0.3)
    run = lambda: problem.run(emulation, emulated)  # noqa: E731
    right, texts = results_of_turns(monkeypatch, run), without_each_barrier(getattr(owner, name))
    assert len(texts) == count
    for k, text in enumerate(texts):
        monkeypatch.setattr(owner, name, text)
        assert results_of_turns(monkeypatch, run) != right, k


@both_ways
def test_what_an_epoch_starts_from_is_not_changed(emulation: Backend, way: str) -> None:
    problem = Descent()
    theta = emulated(problem.start.copy())
    start = begin(problem.optimizer, theta, average=True)
    plan = plan_epoch(problem.optimizer, TAKEN, 8)
    given = emulated(problem.X), emulated(problem.y), None, problem.orders[0], start, plan
    found, _ = minibatch_epoch(*given, HALF_BINOMIAL, backend=emulation)
    assert np.max(np.abs(found.theta - theta)) > 0.01
    np.testing.assert_array_equal(theta, problem.start)
    assert all(np.all(np.asarray(slot) == 0.0) for slot in start.slots)


@both_ways
def test_the_first_loss_that_is_no_number_is_told(emulation: Backend, way: str) -> None:
    problem = Descent(HALF_SQUARED_ERROR, SGD(1e45))
    with np.errstate(over="ignore", invalid="ignore"):
        expected = problem.run(NUMPY, np.asarray, fused=False)[0]
        found = problem.run(emulation, emulated)[0]
    first = np.flatnonzero(~np.isfinite(expected))[0]
    assert 0 < first < len(expected) - 1
    assert np.flatnonzero(~np.isfinite(found))[0] == first


@pytest.mark.parametrize("loss", [HALF_BINOMIAL, HALF_MULTINOMIAL], ids=lambda loss: loss.name)
def test_whole_fits(emulation: Backend, loss: Any) -> None:
    problem = Descent(loss, shape=(80, 5))
    options = EpochOptions(batch_size=16, max_iter=6, tol=None, average_from=9)
    Kernel.launched.clear()
    fits = [
        fit_by_epochs(
            move(problem.X), move(problem.y), sample_weight=move(problem.weight), loss=loss,
            backend=backend, n_outputs=problem.K, l2_reg_strength=0.01, optimizer=Adam(0.05),
            options=options, rng=np.random.default_rng(0), held_out=np.arange(0, 80, 9),
            fused=fused,
        )
        for backend, move, fused in ((emulation, emulated, None), (NUMPY, np.asarray, False))
    ]  # fmt: skip
    assert Kernel.launched.count("minibatch_epoch") == 6
    np.testing.assert_allclose(fits[0].W, fits[1].W, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(fits[0].b, fits[1].b, rtol=1e-9, atol=1e-10)


ON_A_GPU = [
    (HALF_BINOMIAL, Adam(0.01), 32, 30), (HALF_BINOMIAL, LOOKING_AHEAD, 1, 30),
    (HALF_BINOMIAL, RMSProp(0.01, centered=True), 8192, 64),
    (HALF_MULTINOMIAL, Adam(0.01, amsgrad=True), 32, 50), (HALF_MULTINOMIAL, SGD(0.1), 4096, 200),
]  # fmt: skip


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(("loss", "optimizer", "batch_size", "d"), ON_A_GPU, ids=range(5))
def test_on_a_gpu_the_steps_are_the_generic_ones(
    cupy_backend: Backend, loss: Any, optimizer: Optimizer, batch_size: int, d: int, order: str,
    dtype: str,
) -> None:  # fmt: skip
    problem = Descent(
        loss, optimizer, batch_size, shape=(20_000, d), taken=19_000, order=order, dtype=dtype,
        max_norm=5.0 if batch_size != 1 else math.inf, average_from=7,
    )  # fmt: skip
    found, again = (problem.run(cupy_backend, cupy_backend.from_numpy) for _ in range(2))
    expected = problem.run(NUMPY, np.asarray, fused=False)
    tolerance = 1e-9 if dtype == "float64" else 2e-2
    for ours, twice, theirs in zip(found, again, expected, strict=True):
        np.testing.assert_array_equal(ours, twice)
        scale = float(np.max(np.abs(theirs)))
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * scale)
