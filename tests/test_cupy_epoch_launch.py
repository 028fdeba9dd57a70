"""Which mini-batch epochs CuPy's kernels take, how they are cut up, and rules of one's own."""

from __future__ import annotations

import dataclasses
from collections import namedtuple
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from cuda_emulation import Kernel, emulated
from emulated_passes import NUMPY

from xpfit.backends import Backend, KernelCompileError
from xpfit.backends.cupy_kernels import epoch_launch
from xpfit.backends.cupy_kernels.epoch_geometry import (
    MOST_ONE_BLOCK,
    block_rows_of,
    blocks_of,
    epoch_cut,
)
from xpfit.backends.cupy_kernels.geometry import SHARED_BYTES
from xpfit.core.losses import HALF_BINOMIAL, HALF_MULTINOMIAL
from xpfit.core.minibatch import Plan, begin, minibatch_epoch, plan_epoch
from xpfit.core.optimizers import SGD, Adam, Optimizer

EPOCH = epoch_launch.KERNELS["minibatch_epoch"]


def arguments(
    X: Any = None, loss: Any = HALF_BINOMIAL, K: int = 1, dtype: Any = np.float64, **plan: Any
) -> tuple[Any, ...]:
    X = emulated(np.ones((10, 8)) if X is None else X)
    start = begin(Adam(), emulated(np.zeros((X.shape[1] + 1, K), dtype)), average=True)
    made = plan_epoch(Adam(), 10, 4)._replace(**plan)
    return X, emulated(np.zeros(X.shape[0])), None, np.arange(10), start, made, loss


def test_what_is_taken(emulation: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    takes = EPOCH.accepts
    X = np.ones((10, 8))
    assert takes(*arguments())
    assert takes(*arguments(np.asfortranarray(X)))
    assert takes(*arguments(X.astype(np.float16), dtype=np.float32))
    assert takes(*arguments(loss=HALF_MULTINOMIAL, K=3))
    assert not takes(*arguments(X[:, ::2]))
    assert not takes(*arguments(X, dtype=np.float32))
    assert not takes(*arguments(X.astype(np.complex128)))
    assert not takes(*arguments(loss=dataclasses.replace(HALF_MULTINOMIAL, fused_as=None), K=3))
    assert not takes(*arguments(loss=HALF_BINOMIAL, K=2))
    without_source = dataclasses.replace(HALF_BINOMIAL, gradient=lambda xp, y, raw: raw - y)
    assert not takes(*arguments(loss=without_source))
    assert not takes(*arguments(rule=lambda xp, g, p: (-g,)))
    assert takes(*arguments(np.ones((10, 5000))))
    assert not takes(*arguments(np.ones((10, 20_000))))
    X, y, weight, _, *rest = arguments()
    assert not takes(X, y, weight, np.arange(0), *rest)
    sparse = scipy.sparse.csr_matrix(np.ones((10, 8)))
    assert not takes(sparse, y, weight, np.arange(10), *rest)
    monkeypatch.setattr(epoch_launch, "_shared_bytes_of", lambda device: 1024)
    assert not takes(*arguments())


def test_a_plan_of_which_something_is_unknown_is_not_taken(emulation: Backend) -> None:
    longer = namedtuple("longer", [*Plan._fields, "l3_reg_strength"])  # type: ignore[misc]
    *given, plan, loss = arguments()
    assert set(Plan._fields) == epoch_launch.KNOWN
    assert EPOCH.accepts(*given, longer(*plan, l3_reg_strength=0.0), loss)
    assert not EPOCH.accepts(*given, longer(*plan, l3_reg_strength=0.1), loss)


@pytest.mark.parametrize(
    ("width", "n_outputs"), [(1, 1), (31, 3), (65, 1), (65, 3), (785, 3), (4097, 1)]
)
@pytest.mark.parametrize("batch_size", [1, 5, 32, 1000, 100_000])
def test_how_a_batch_is_cut_up(width: int, n_outputs: int, batch_size: int) -> None:
    cut = epoch_cut(width, n_outputs, batch_size, 3, 8, True)
    assert cut is not None
    assert cut.one_block == (batch_size * width * n_outputs <= MOST_ONE_BLOCK)
    assert cut.shared_bytes(width, n_outputs, 3, 8) <= SHARED_BYTES[-1][0]
    # A thread evaluates a row, and each part of a column's rows has its threads.
    assert cut.rows <= cut.threads
    assert cut.split * cut.columns <= cut.threads
    assert cut.threads % cut.lanes == 0
    if not cut.one_block:
        rows = block_rows_of(batch_size, cut)
        assert rows % cut.rows == 0
        assert -(-batch_size // rows) <= blocks_of(batch_size)


def test_an_epoch_that_is_not_taken_is_taken_by_the_generic_engine(emulation: Backend) -> None:
    X = np.random.default_rng(0).normal(size=(10, 16))[:, ::2]
    Kernel.launched.clear()
    given = arguments(X)
    found, losses = minibatch_epoch(*given, backend=emulation)
    assert not Kernel.launched
    whole, expected = minibatch_epoch(*arguments(X.copy()), backend=emulation)
    assert Kernel.launched == ["minibatch_epoch"]
    np.testing.assert_allclose(losses, expected, rtol=1e-12)
    np.testing.assert_allclose(found.theta, whole.theta, rtol=1e-10)


SCALE = 1.0


def scaled_rule(xp: Any, gradient: Any, parameter: Any, learning_rate: Any) -> tuple[Any, ...]:
    return (-SCALE * learning_rate * gradient / (xp.abs(gradient) + 1.0),)


def summed_rule(xp: Any, gradient: Any, parameter: Any, learning_rate: Any) -> tuple[Any, ...]:
    return (-learning_rate * xp.sum(gradient),)


def bare_rule(xp: Any, gradient: Any, parameter: Any, learning_rate: Any) -> Any:
    return -learning_rate * gradient


@dataclasses.dataclass(frozen=True)
class Own(Optimizer):
    """An optimizer of one's own: one number, no slots."""

    learning_rate: float = 0.1
    rule: Any = scaled_rule
    initial_slots = ()

    def scalars(self, step: Any, learning_rate: Any) -> tuple[Any, ...]:
        return (learning_rate,)


def stepped(backend: Backend, move: Any, optimizer: Optimizer) -> np.ndarray:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 3)), rng.integers(0, 2, 20).astype(float)
    plan = plan_epoch(optimizer, 20, 6)
    start = begin(optimizer, move(np.zeros((4, 1))))
    given = move(X), move(y), None, np.arange(20), start, plan, HALF_BINOMIAL
    return np.asarray(minibatch_epoch(*given, backend=backend)[0].theta)


def test_a_rule_of_ones_own_with_a_number_around_it(
    emulation: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    for scale in (1.0, 3.0):
        monkeypatch.setitem(globals(), "SCALE", scale)
        expected = stepped(NUMPY, np.asarray, Own())
        np.testing.assert_allclose(stepped(emulation, emulated, Own()), expected, rtol=1e-11)
    assert Kernel.launched == ["minibatch_epoch"] * 2


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (summed_rule, r"summed_rule: update_rule .*xp\.sum"),
        (bare_rule, r"bare_rule: update_rule .*something else than 1 results"),
    ],
)
def test_a_rule_that_cannot_be_translated_is_explained(
    emulation: Backend, rule: Any, why: str
) -> None:
    with pytest.raises(KernelCompileError, match=why):
        stepped(emulation, emulated, Own(rule=rule))


def test_plain_descent_by_hand(emulation: Backend) -> None:
    X, y = np.asarray([[1.0], [2.0], [4.0]]), np.asarray([1.0, 0.0, 1.0])
    plan = plan_epoch(SGD(0.5), 3, 2)
    start = begin(SGD(0.5), emulated(np.zeros((1, 1))))
    given = emulated(X), emulated(y), None, np.asarray([2, 1, 0]), start, plan
    found, losses = minibatch_epoch(*given, HALF_BINOMIAL, backend=emulation)
    first = -0.5 * (4.0 * (0.5 - 1.0) + 2.0 * 0.5) / 2.0
    second = first - 0.5 * (1.0 / (1.0 + np.exp(-first)) - 1.0)
    np.testing.assert_allclose(found.theta, [[second]], rtol=1e-14)
    np.testing.assert_allclose(losses, [np.log(2.0), np.log1p(np.exp(-first))], rtol=1e-14)
