"""The compiled epoch of a network takes the steps of the generic one, layer by layer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from xpfit.backends import get_backend
from xpfit.backends.numba_network import accepts_network
from xpfit.core.minibatch import Progress, begin, plan_epoch
from xpfit.core.network import (
    GELU,
    Affine,
    BatchNorm,
    Dropout,
    Identity,
    Layer,
    LayerNorm,
    LeakyReLU,
    LogSoftmax,
    Network,
    ReLU,
    Sigmoid,
    SigmoidCrossEntropy,
    Softmax,
    SoftmaxCrossEntropy,
    Softplus,
    SquaredError,
    Tanh,
)
from xpfit.core.network.epoch import network_epoch
from xpfit.core.optimizers import SGD, AdaGrad, Adam, AdamW, RMSProp

NUMBA = get_backend("numba")
N, D, K, BATCH = 71, 5, 3, 16
ACTIVATIONS = [
    Identity(), Sigmoid(), Tanh(), ReLU(), LeakyReLU(0.1), LeakyReLU(0.0), LeakyReLU(-0.5), GELU(),
    Softplus(), Softmax(), LogSoftmax(),
]  # fmt: skip
ARCHITECTURES = [
    (),
    (Affine(4), BatchNorm(), ReLU()),
    (Affine(4), LayerNorm(), Tanh()),
    (BatchNorm(momentum=0.3), Affine(4), GELU(), BatchNorm(), Identity()),
    (LayerNorm(), ReLU(), Affine(17), Softplus()),
    (Affine(33), ReLU(), Dropout(0.3), Affine(8), Sigmoid(), Dropout(0.0)),
    (Dropout(0.2), Tanh(), Affine(4), Tanh(), Sigmoid()),
    (Softmax(), LogSoftmax(), Affine(4), Softmax()),
    (Affine(300), ReLU(), Affine(40), LeakyReLU(), Affine(4), ReLU()),
]
OPTIMIZERS = [
    SGD(0.1),
    SGD(0.05, momentum=0.9),
    SGD(0.05, momentum=0.9, nesterov=True),
    SGD(0.05, momentum=0.9, nesterov="lookahead"),
    AdaGrad(0.1),
    RMSProp(0.01),
    Adam(0.02),
    AdamW(0.02),
]
OUTPUTS = [SoftmaxCrossEntropy(), SigmoidCrossEntropy(), SquaredError()]
TOLERANCE = {"float64": (1e-10, 1e-12), "float32": (1e-4, 1e-5)}


def network_of(*hidden: Layer, output: Any = OUTPUTS[0]) -> Network:
    return Network(D, (*hidden, Affine(K)), output)


def targets(output: Any, n: int = N) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(3)
    if isinstance(output, SoftmaxCrossEntropy):
        return rng.integers(0, K, n)
    y = rng.normal(size=(n, K))
    return (y > 0).astype(float) if isinstance(output, SigmoidCrossEntropy) else y


def epochs(
    network: Network,
    fused: bool,
    dtype: str = "float64",
    *,
    optimizer: Any = Adam(0.02),  # noqa: B008 - frozen
    X: Any = None,
    weighted: bool = False,
    average_from: int | None = None,
    batch_size: int = BATCH,
    n_epochs: int = 2,
    **options: Any,
) -> tuple[Progress, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(N, D)).astype(dtype) if X is None else X
    y = targets(network.output)
    weight = rng.uniform(0.2, 2.0, size=N)
    weight = (weight / weight.mean()).astype(dtype) if weighted else None
    if y.ndim == 2:
        y = y.astype(dtype)
    theta = network.initial(rng).astype(dtype)
    now, losses = begin(optimizer, theta, average=average_from is not None), []
    for epoch in range(n_epochs):
        order = np.random.default_rng(epoch).permutation(N)
        plan = plan_epoch(
            optimizer, N, batch_size, steps_taken=len(losses), average_from=average_from, **options
        )
        keys = np.random.default_rng(epoch).integers(0, 1 << 32, len(plan.gains), dtype=np.uint32)
        now, found = network_epoch(
            rows, y, weight, order, now, plan, keys if network.is_random else None, network,
            backend=NUMBA, fused=fused,
        )  # fmt: skip
        losses += found.tolist()
    return now, np.asarray(losses)


def check(network: Network, dtype: str = "float64", **options: Any) -> None:
    found, losses = epochs(network, True, dtype, **options)
    wanted, wanted_losses = epochs(network, False, dtype, **options)
    relative, absolute = TOLERANCE[dtype]
    close = {"rtol": relative, "atol": absolute}
    np.testing.assert_allclose(losses, wanted_losses, **close)
    pairs = [(found.theta, wanted.theta), *zip(found.slots, wanted.slots, strict=True)]
    if wanted.average is not None:
        pairs.append((found.average, wanted.average))
    for ours, theirs in pairs:
        assert ours.dtype == theirs.dtype
        assert ours.shape == theirs.shape
        # In units of the largest: what rounding leaves of a zero gradient Adam divides by itself.
        scale = max(1.0, float(np.abs(theirs).max()))
        np.testing.assert_allclose(ours, theirs, rtol=relative, atol=absolute * scale)


# SGD: float32's rounding of a gradient near 0 is no whole step of Adam's.
PLAIN = SGD(0.02)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
def test_every_activation(activation: Layer, dtype: str) -> None:
    check(network_of(Affine(9), activation, output=SquaredError()), dtype, optimizer=PLAIN)
    check(network_of(activation, Affine(4), Tanh(), activation), dtype, optimizer=PLAIN)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("layers", ARCHITECTURES, ids=lambda layers: f"{len(layers)} layers")
def test_every_architecture(layers: tuple[Layer, ...], dtype: str) -> None:
    check(network_of(*layers), dtype, optimizer=PLAIN)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("output", OUTPUTS, ids=lambda output: output.name)
def test_every_output(output: Any, weighted: bool, dtype: str) -> None:
    network = network_of(Affine(8), Tanh(), output=output)
    check(network, dtype, optimizer=PLAIN, weighted=weighted)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_every_optimizer(optimizer: Any) -> None:
    network = network_of(Affine(8), Tanh())
    check(network, optimizer=optimizer, l2_reg_strength=0.01)


def test_adam_in_float32() -> None:
    check(network_of(Affine(8), Tanh()), "float32", l2_reg_strength=0.01)


@pytest.mark.parametrize(
    "options",
    [
        {"l2_reg_strength": 0.1},
        {"l1_reg_strength": 0.05},
        {"max_norm": 0.1},
        {"average_from": 3},
        {"batch_size": 1},
        {"batch_size": N},
        {"batch_size": 1000},
    ],
    ids=str,
)
@pytest.mark.parametrize("optimizer", [PLAIN, OPTIMIZERS[3]], ids=["plain", "lookahead"])
def test_every_option(options: dict[str, Any], optimizer: Any) -> None:
    layers = (Affine(6), BatchNorm(), ReLU(), Dropout(0.4), Affine(4), Sigmoid())
    check(network_of(*layers), optimizer=optimizer, weighted=True, **options)


def test_options_in_float32() -> None:
    network = network_of(Affine(6), BatchNorm(), ReLU(), Dropout(0.4))
    options = {"l2_reg_strength": 0.1, "max_norm": 0.5, "average_from": 3}
    check(network, "float32", optimizer=OPTIMIZERS[3], weighted=True, **options)


# Each is a compilation.
@pytest.mark.parametrize(
    ("stored", "order"),
    [("float16", "C"), ("uint8", "C"), ("bool", "C"), ("float64", "F"), ("int64", "F")],
)
def test_x_is_read_as_it_is_stored(stored: str, order: str) -> None:
    X = np.abs(np.random.default_rng(5).normal(size=(N, D)) * 3)
    rows = np.asarray(X.astype(stored), order=order)
    check(network_of(Affine(4), Tanh()), "float32", optimizer=PLAIN, X=rows)
    rows.flags.writeable = False
    check(network_of(Affine(4), Tanh()), "float32", optimizer=PLAIN, X=rows)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_arguments_are_left_as_they_are(dtype: str) -> None:
    network = network_of(Affine(4), BatchNorm(), Tanh())
    theta = network.initial(np.random.default_rng(0)).astype(dtype)
    start = begin(Adam(0.1), theta, average=True)
    kept = [array.copy() for array in (start.theta, *start.slots, start.average)]
    X, y = np.ones((N, D)), targets(network.output)
    for _ in range(2):
        network_epoch(
            X, y, None, np.arange(N), start, plan_epoch(Adam(0.1), N, 16), None, network,
            backend=NUMBA,
        )  # fmt: skip
    for array, before in zip((start.theta, *start.slots, start.average), kept, strict=True):
        np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_ends_the_epoch(bad: float, dtype: str) -> None:
    X = np.random.default_rng(1).normal(size=(N, D)).astype(dtype)
    X[np.random.default_rng(0).permutation(N)[2 * BATCH], 0] = bad  # in the third batch
    network = network_of(Affine(4), ReLU())
    found, losses = epochs(network, True, dtype, X=X, n_epochs=1)
    assert np.isfinite(losses[:2]).all()
    assert not np.isfinite(losses[2])
    assert np.isnan(losses[3:]).all()
    assert np.isfinite(found.theta).all()


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_large_arguments_stay_finite(dtype: str) -> None:
    X = 1e3 * np.random.default_rng(1).normal(size=(N, D)).astype(dtype)
    for activation in ACTIVATIONS:
        network = network_of(activation, Affine(4), activation)
        _, losses = epochs(network, True, dtype, X=X, optimizer=SGD(1e-9), n_epochs=1)
        assert np.isfinite(losses).all(), activation


def test_numbers_that_underflow_are_zeros_and_the_mode_is_put_back() -> None:
    network = network_of(Affine(4), ReLU())
    start = begin(SGD(0.1, momentum=0.9), network.initial(np.random.default_rng(0)))
    tiny = start._replace(slots=(np.full(network.size, 5e-324),))
    found, _ = network_epoch(
        np.zeros((N, D)), targets(network.output), None, np.arange(N), tiny,
        plan_epoch(SGD(0.1, momentum=0.9), N, 16), None, network, backend=NUMBA,
    )  # fmt: skip
    assert (found.slots[0][: D * 4] == 0.0).all()
    assert np.asarray([1e-308])[0] / 1e10 > 0.0


@dataclass(frozen=True)
class Cube(Layer):
    name = "cube"

    def forward(self, xp: Any, parameters: Any, statistics: Any, x: Any, moment: Any) -> Any:
        return x * x * x, x, statistics

    def backward(self, xp: Any, parameters: Any, context: Any, d_output: Any) -> Any:
        return 3.0 * context * context * d_output, ()


def accepted(X: Any, network: Network) -> bool:
    start = begin(PLAIN, network.initial(np.random.default_rng(0)))
    return accepts_network(X, None, None, None, start, plan_epoch(PLAIN, N, 8), None, network)


def test_what_is_not_known_is_left_to_the_generic_epoch() -> None:
    known, X = network_of(Affine(4)), np.ones((N, D))
    assert accepted(X, known)
    assert not accepted(X, network_of(Affine(4), Cube()))
    assert not accepted(X[:, ::-1], known)
    assert not accepted(scipy.sparse.csr_matrix(X), known)
    check(network_of(Affine(4), Cube()), optimizer=PLAIN)


def test_one_compilation_serves_every_architecture() -> None:
    from xpfit.backends.numba_kernels.compile import plain_passes

    check(network_of(Affine(4), ReLU()), optimizer=PLAIN)
    passes = plain_passes("network_passes", "c")
    before = len(passes.forward.signatures), len(passes.backward.signatures)
    check(network_of(Affine(7), LayerNorm(), GELU(), Affine(3), Softmax()), optimizer=PLAIN)
    assert (len(passes.forward.signatures), len(passes.backward.signatures)) == before
