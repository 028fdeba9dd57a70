"""Which epochs of networks CuPy's kernel takes, whole fits, and a run on a GPU."""

from __future__ import annotations

import math
from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from cuda_emulation import Kernel, emulated
from emulated_passes import NUMPY
from network_cases import CLASSES, LABELS, N_FEATURES, VALUES
from network_fits import NOISY, fit
from test_cupy_epoch_launch import Own, summed_rule
from test_cupy_network import ALL_OPTIONS, LOOKING_AHEAD, MIXED, SMALL, N, Training

from xpfit.backends import Backend, KernelCompileError
from xpfit.backends.cupy_kernels.network_geometry import (
    MOST_MULTIPLIED,
    network_cut,
    network_sizes,
)
from xpfit.backends.cupy_network import KERNELS
from xpfit.backends.network_table import describe
from xpfit.core.minibatch import Plan, begin, plan_epoch
from xpfit.core.network import (
    GELU,
    Affine,
    BatchNorm,
    Dropout,
    LayerNorm,
    Network,
    ReLU,
    SoftmaxCrossEntropy,
)
from xpfit.core.network.epoch import network_epoch
from xpfit.core.optimizers import SGD, Adam, Optimizer

EPOCH = KERNELS["network_epoch"]


def arguments(
    X: Any = None, network: Network = SMALL, dtype: Any = np.float64, batch_size: int = 8,
    **plan: Any,
) -> tuple[Any, ...]:  # fmt: skip
    X = emulated(np.ones((N, network.n_features)) if X is None else X)
    theta = network.initial(np.random.default_rng(0)).astype(dtype)
    start = begin(Adam(), emulated(theta), average=True)
    made = plan_epoch(Adam(), N, batch_size)._replace(**plan)
    y = emulated(np.zeros(N, dtype=np.int64))
    return X, y, None, np.arange(N), start, made, None, network


class Doubled(ReLU):
    """A layer with the name of another."""

    def value(self, xp: Any, x: Any) -> Any:
        return 2.0 * super().value(xp, x)


@dataclass(frozen=True)
class OwnOutput(SoftmaxCrossEntropy):
    """An output with the name of another."""


def test_what_is_taken(emulation: Backend) -> None:
    takes, X = EPOCH.accepts, np.ones((N, N_FEATURES))
    assert takes(*arguments())
    assert takes(*arguments(np.asfortranarray(X)))
    assert takes(*arguments(X.astype(np.uint8), dtype=np.float32))
    assert takes(*arguments(X, dtype=np.float32))
    assert takes(*arguments(network=MIXED))
    assert not takes(*arguments(np.ones((N, 2 * N_FEATURES))[:, ::2]))
    assert not takes(*arguments(X.astype(np.complex128)))
    assert not takes(*arguments(dtype=np.float16))
    assert not takes(*arguments(rule=lambda xp, g, p: (-g,)))
    layers = (Affine(4), Doubled(), Affine(3))
    assert not takes(*arguments(network=Network(N_FEATURES, layers, CLASSES)))
    assert not takes(*arguments(network=Network(N_FEATURES, SMALL.layers, OwnOutput())))
    _, y, weight, order, *rest = arguments()
    assert not takes(emulated(X), y, weight, np.arange(0), *rest)
    assert not takes(scipy.sparse.csr_matrix(X), y, weight, order, *rest)


def test_how_large_a_network_is_taken(emulation: Backend) -> None:
    inner = MOST_MULTIPLIED // (8 * (N_FEATURES + 3))
    network = Network(N_FEATURES, (Affine(inner), ReLU(), Affine(3)), CLASSES)
    assert EPOCH.accepts(*arguments(network=network))
    assert not EPOCH.accepts(*arguments(network=network, batch_size=16))
    # Rows beyond those that are there are none.
    assert EPOCH.accepts(*arguments(batch_size=1 << 30))


def test_a_plan_of_which_something_is_unknown_is_not_taken(emulation: Backend) -> None:
    longer = namedtuple("longer", [*Plan._fields, "l3_reg_strength"])  # type: ignore[misc]
    *given, plan, keys, network = arguments()
    assert EPOCH.accepts(*given, longer(*plan, l3_reg_strength=0.0), keys, network)
    assert not EPOCH.accepts(*given, longer(*plan, l3_reg_strength=0.1), keys, network)


@pytest.mark.parametrize("shared_bytes", [400, 3_000, 6_000, 20_000, 227 << 10])
@pytest.mark.parametrize("batch_size", [1, 32])
def test_what_lies_in_shared_memory_fits(shared_bytes: int, batch_size: int) -> None:
    sizes = network_sizes(describe(MIXED, batch_size), batch_size, MIXED.size, 99, 4)
    cut = network_cut(sizes, 8, shared_bytes, True)
    assert cut is not None
    own = 8 * cut.shared_numbers(sizes)
    assert own <= max(shared_bytes, 8 * 96)
    left = [size for size, near in zip(sizes[:3], cut[2:], strict=True) if not near]
    assert all(own + 8 * size > shared_bytes for size in left)
    parts = sizes.activations + sizes.parameters + sizes.state * cut.state + 96
    assert cut.shared_numbers(sizes) + cut.scratch_numbers(sizes) == parts


def test_a_layer_that_is_not_known_goes_step_by_step(emulation: Backend) -> None:
    Kernel.launched.clear()
    network = Network(N_FEATURES, (Affine(4), Doubled(), Affine(3)), CLASSES)
    training = Training(network)
    found, expected = training.run(emulation, emulated), training.run(NUMPY, np.asarray)
    assert not Kernel.launched
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_what_an_epoch_starts_from_is_not_changed(emulation: Backend) -> None:
    given = arguments(network=MIXED)
    start = given[4]
    kept = [array.copy() for array in (start.theta, *start.slots, start.average)]
    keys = np.arange(4, dtype=np.uint32)
    found, _ = network_epoch(*given[:6], keys, MIXED, backend=emulation)
    assert np.max(np.abs(found.theta - start.theta)) > 1e-3
    for array, before in zip((start.theta, *start.slots, start.average), kept, strict=True):
        np.testing.assert_array_equal(array, before)


def test_a_rule_that_cannot_be_translated_is_explained(emulation: Backend) -> None:
    with pytest.raises(KernelCompileError, match=r"summed_rule: update_rule .*xp\.sum"):
        Training(SMALL, Own(rule=summed_rule)).run(emulation, emulated)


def test_one_step_by_hand(emulation: Backend) -> None:
    # raw = 2 x + 1, residuals 1 and 2; the second row is the batch of its own.
    network = Network(1, (Affine(1),), VALUES)
    X, y = emulated(np.asarray([[1.0], [3.0]])), emulated(np.asarray([[2.0], [5.0]]))
    start = begin(SGD(0.5), emulated(np.asarray([2.0, 1.0])))
    plan = plan_epoch(SGD(0.5), 2, 2)
    given = X, y, None, np.asarray([1, 0]), start, plan, None, network
    found, losses = network_epoch(*given, backend=emulation)
    np.testing.assert_allclose(losses, [0.5 * (1.0 + 4.0) / 2.0], rtol=1e-15)
    np.testing.assert_allclose(
        found.theta, [2.0 - 0.5 * (1.0 + 6.0) / 2.0, 1.0 - 0.5 * 3.0 / 2.0], rtol=1e-15
    )


def test_whole_fits(emulation: Backend) -> None:
    Kernel.launched.clear()
    options = {"network": NOISY, "optimizer": SGD(0.1, momentum=0.9), "max_norm": 1.0}
    ours, theirs = fit(backend=emulation, **options), fit(**options)
    assert Kernel.launched == ["network_epoch"] * 5
    np.testing.assert_allclose(ours.theta, theirs.theta, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(ours.result.loss, theirs.result.loss, rtol=1e-9)


WIDE = Network(54, (Affine(64), ReLU(), Affine(7)), CLASSES)
DEEP = Network(
    30,
    (Affine(40), BatchNorm(), GELU(), Dropout(0.2), Affine(20), LayerNorm(), ReLU(), Affine(1)),
    LABELS,
)
# Parameters and state beyond shared memory, in float64.
LARGE = Network(200, (Affine(150), ReLU(), Affine(3)), VALUES)


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("network", "optimizer", "batch_size"),
    [(WIDE, Adam(0.01), 32), (DEEP, LOOKING_AHEAD, 50), (LARGE, SGD(0.01, momentum=0.9), 64)],
    ids=["wide", "deep", "large"],
)
def test_on_a_gpu_the_steps_are_the_generic_ones(
    cupy_backend: Backend, network: Network, optimizer: Optimizer, batch_size: int, dtype: str
) -> None:
    for stored, order in ((dtype, "C"), (dtype, "F"), ("uint8", "C")):
        training = Training(
            network, optimizer, batch_size, n=2_000, stored=stored, dtype=dtype, order=order,
            **{**ALL_OPTIONS, "max_norm": 5.0 if order == "C" else math.inf},
        )  # fmt: skip
        found, again = (training.run(cupy_backend, cupy_backend.from_numpy) for _ in range(2))
        expected = training.run(NUMPY, np.asarray, fused=False)
        tolerance = 1e-8 if dtype == "float64" else 2e-2
        for ours, twice, theirs in zip(found, again, expected, strict=True):
            np.testing.assert_array_equal(ours, twice)
            scale = float(np.max(np.abs(theirs)))
            np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * scale)
