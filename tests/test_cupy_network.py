"""Epochs of networks on CuPy, in the emulation: the steps are the generic ones on NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cuda_emulation import Kernel, emulated
from emulated_passes import NUMPY, results_of_turns, without_each_barrier
from network_cases import CLASSES, LABELS, N_FEATURES, NETWORKS, VALUES, theta_of

from xpfit.backends import Backend, cupy_network
from xpfit.backends.cupy_kernels import network_geometry, network_kernel
from xpfit.core.minibatch import begin, plan_epoch
from xpfit.core.network import (
    Affine,
    BatchNorm,
    Dropout,
    Layer,
    LayerNorm,
    LeakyReLU,
    Network,
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
)
from xpfit.core.network.epoch import network_epoch
from xpfit.core.optimizers import SGD, AdaGrad, Adam, Optimizer, RMSProp

N = 29
SMALL = Network(N_FEATURES, (Affine(7), Tanh(), Affine(3)), CLASSES)
MIXED = Network(
    N_FEATURES,
    (Affine(6), BatchNorm(), ReLU(), Dropout(0.4), LayerNorm(), Affine(4), Softmax(), Affine(3)),
    CLASSES,
)
LOOKING_AHEAD = SGD(0.05, momentum=0.9, nesterov="lookahead")
ALL_OPTIONS = {
    "l2_reg_strength": 0.05, "l1_reg_strength": 0.02, "max_norm": 0.3, "average_from": 4,
}  # fmt: skip


class Training:
    """A problem, and two epochs of it on any backend."""

    def __init__(
        self, network: Network = SMALL, optimizer: Optimizer | None = None, batch_size: int = 8,
        *, n: int = N, stored: str = "float64", dtype: str = "float64", order: str = "C",
        weighted: bool = True, **plan: Any,
    ) -> None:  # fmt: skip
        rng = np.random.default_rng([n, batch_size])
        shape = n, network.n_features
        self.X = np.asarray(np.abs(rng.normal(size=shape) * 2.0), order=order).astype(stored)
        y = rng.normal(size=(n, network.n_outputs))
        classes = rng.integers(0, network.n_outputs, n)
        self.y = {CLASSES: classes, LABELS: (y > 0).astype(dtype), VALUES: y.astype(dtype)}[
            network.output
        ]
        weight = rng.uniform(0.2, 2.0, n)
        self.weight = (weight / weight.mean()).astype(dtype) if weighted else None
        # Away from 0, where the bias before a normalization has a gradient of rounding alone.
        self.theta = (network.initial(rng) + 0.1 * rng.normal(size=network.size)).astype(dtype)
        self.theta[network.n_parameters :] = 1.0
        self.orders = [rng.permutation(n) for _ in range(2)]
        n_steps = -(-n // batch_size)
        self.keys = rng.integers(0, 1 << 32, (2, n_steps), dtype=np.uint32)
        self.network, self.batch_size = network, batch_size
        self.optimizer = SGD(0.05) if optimizer is None else optimizer
        self.plan = {"average_from": None, **plan}

    def run(self, backend: Backend, move: Any, fused: bool | None = None) -> list[np.ndarray]:
        """Losses, theta, slots, and the average if there is one."""
        kept = self.plan["average_from"] is not None
        now, losses = begin(self.optimizer, move(self.theta), average=kept), []
        weight = None if self.weight is None else move(self.weight)
        for order, keys in zip(self.orders, self.keys, strict=True):
            taken = sum(map(len, losses))
            plan = plan_epoch(
                self.optimizer, len(order), self.batch_size, steps_taken=taken, **self.plan
            )
            now, found = network_epoch(
                move(self.X), move(self.y), weight, order, now, plan,
                keys if self.network.is_random else None, self.network,
                backend=backend, fused=fused,
            )  # fmt: skip
            losses.append(found)
        arrays = [now.theta, *now.slots, *([now.average] if kept else [])]
        assert all(array.dtype == self.theta.dtype for array in arrays)
        return [np.concatenate(losses), *(np.asarray(backend.to_numpy(array)) for array in arrays)]

    def check(self, emulation: Backend, tolerance: float = 1e-10) -> None:
        """The emulated kernel takes the steps of the generic epoch, in one launch an epoch."""
        expected = self.run(NUMPY, np.asarray, fused=False)
        Kernel.launched.clear()
        found = self.run(emulation, emulated)
        assert Kernel.launched == ["network_epoch"] * 2
        for ours, theirs in zip(found, expected, strict=True):
            assert ours.shape == theirs.shape
            np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_and_output(emulation: Backend, name: str) -> None:
    training = Training(NETWORKS[name])
    training.theta = theta_of(name)
    training.check(emulation)


@pytest.mark.parametrize(
    "layers",
    [
        (),
        (Affine(4), LeakyReLU(-0.5), LeakyReLU(0.0)),
        (Dropout(0.2), Tanh(), Affine(6), Dropout(0.5), Sigmoid(), Dropout(0.0)),
        (Softmax(), Affine(70), Tanh(), Affine(33), LayerNorm(), ReLU()),
    ],
    ids=lambda layers: f"{len(layers)} layers",
)
def test_other_layers(emulation: Backend, layers: tuple[Layer, ...]) -> None:
    Training(Network(N_FEATURES, (*layers, Affine(2)), LABELS), weighted=False).check(emulation)


@pytest.mark.parametrize(
    "optimizer",
    [
        LOOKING_AHEAD, Adam(0.02, amsgrad=True), AdaGrad(0.1, initial_accumulator=0.5),
        RMSProp(0.01, beta2=0.9, centered=True, momentum=0.5),
    ],
    ids=lambda optimizer: type(optimizer).__name__,
)  # fmt: skip
def test_optimizers_with_every_option(emulation: Backend, optimizer: Optimizer) -> None:
    Training(SMALL, optimizer, **ALL_OPTIONS).check(emulation)


def test_statistics_have_averages_and_no_slots(emulation: Backend) -> None:
    training = Training(MIXED, AdaGrad(0.1, initial_accumulator=0.5), **ALL_OPTIONS)
    training.check(emulation)
    _, theta, slot, average = training.run(emulation, emulated)
    own = slice(MIXED.n_parameters, MIXED.size)
    assert (slot[own] == 0.0).all()
    assert (theta[own] != 1.0).all()
    assert (average[own] != theta[own]).all()


def test_an_l1_penalty_leaves_zeros_among_the_weights_alone(emulation: Backend) -> None:
    training = Training(SMALL, l1_reg_strength=0.5)
    training.check(emulation)
    (W, b, *_) = SMALL.unpack(training.run(emulation, emulated)[1])
    assert (W == 0.0).any()
    assert (b != 0.0).all()


@pytest.mark.parametrize("batch_size", [1, 7, N, 1000])
@pytest.mark.parametrize("output", [CLASSES, LABELS, VALUES], ids=lambda output: output.name)
def test_every_batch_size(emulation: Backend, output: Any, batch_size: int) -> None:
    Training(Network(N_FEATURES, SMALL.layers, output), None, batch_size).check(emulation)


@pytest.mark.parametrize(
    ("stored", "dtype", "order"),
    [
        ("float64", "float64", "F"), ("uint8", "float64", "C"), ("float32", "float32", "C"),
        ("float16", "float32", "F"), ("float64", "float32", "C"),
    ],
)  # fmt: skip
def test_x_is_read_as_it_is_stored(emulation: Backend, stored: str, dtype: str, order: str) -> None:
    training = Training(MIXED, stored=stored, dtype=dtype, order=order)
    training.check(emulation, 1e-10 if dtype == "float64" else 1e-4)


def recorded_cuts(monkeypatch: pytest.MonkeyPatch, **places: bool) -> list[Any]:
    """The cuts of the epochs from now on, in which these things lie where it is said here."""
    original, cuts = network_geometry.network_cut, []

    def cut(*given: Any) -> Any:
        cuts.append(original(*given)._replace(**places))
        return cuts[-1]

    monkeypatch.setattr(cupy_network, "network_cut", cut)
    return cuts


def test_more_work_than_threads(emulation: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(40, (Affine(64), ReLU(), Affine(33), Tanh(), Affine(10)), CLASSES)
    cuts = recorded_cuts(monkeypatch)
    Training(network, None, 32, n=50).check(emulation)
    assert {cut.threads for cut in cuts} == {512}


@pytest.mark.parametrize("near", [False, True])
def test_what_does_not_fit_into_shared_memory(
    emulation: Backend, monkeypatch: pytest.MonkeyPatch, near: bool
) -> None:
    training = Training(MIXED, LOOKING_AHEAD, **ALL_OPTIONS)
    whole = training.run(emulation, emulated)
    cuts = recorded_cuts(monkeypatch, activations=near, parameters=False, state=False)
    training.check(emulation)
    for ours, theirs in zip(training.run(emulation, emulated), whole, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert cuts


def test_the_same_bits_whatever_thread_is_first(
    emulation: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = Training(MIXED, LOOKING_AHEAD, 20, **ALL_OPTIONS)
    assert len(results_of_turns(monkeypatch, lambda: training.run(emulation, emulated))) == 1


# That of `layer_norm_back` is not among them: a warp's shuffles let all other threads of the
# emulation take their turns first.
@pytest.mark.parametrize(("name", "count"), [("PASSES", 3), ("EPOCH", 2)])
def test_every_barrier_is_needed(
    emulation: Backend, monkeypatch: pytest.MonkeyPatch, name: str, count: int
) -> None:
    training = Training(MIXED, None, 12, n=13)
    run = lambda: training.run(emulation, emulated)  # noqa: E731
    right, texts = (
        results_of_turns(monkeypatch, run),
        without_each_barrier(getattr(network_kernel, name)),
    )
    assert len(texts) == count
    for k, text in enumerate(texts):
        monkeypatch.setattr(network_kernel, name, text)
        assert results_of_turns(monkeypatch, run) != right, k


def test_the_first_loss_that_is_no_number_is_told(emulation: Backend) -> None:
    training = Training(Network(N_FEATURES, SMALL.layers, VALUES), SGD(1e60))
    with np.errstate(over="ignore", invalid="ignore"):
        expected = training.run(NUMPY, np.asarray, fused=False)[0]
        found = training.run(emulation, emulated)[0]
    first = np.flatnonzero(~np.isfinite(expected))[0]
    assert 0 < first < len(expected) - 1
    assert np.flatnonzero(~np.isfinite(found))[0] == first
