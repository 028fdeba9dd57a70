"""Looking inside a network: shapes and memory, activations and gradients, findings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse

from xpfit.backends import Backend
from xpfit.core.network import (
    Affine,
    BatchNorm,
    Dropout,
    Network,
    ReLU,
    Sigmoid,
    SoftmaxCrossEntropy,
    SquaredError,
    Tanh,
    examine_flow,
    summary,
)

NETWORK = Network(
    4, (Affine(6), BatchNorm(), ReLU(), Dropout(0.25), Affine(3)), SoftmaxCrossEntropy()
)


def rows(n: int = 40, seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 4)), rng.integers(0, 3, n)


def deep(layer: Any, initializer: str, scale: float | None = None, n: int = 6) -> Any:
    layers = [each for _ in range(n) for each in (Affine(20, initializer, scale), layer)]
    network = Network(4, (*layers, Affine(3, initializer, scale)), SoftmaxCrossEntropy())
    return network, network.initial(np.random.default_rng(0))


def test_a_summary_counts_what_training_holds() -> None:
    found = summary(NETWORK, 8, np.float32, n_slots=3)
    assert [one.name for one in found.layers] == [layer.name for layer in NETWORK.layers]
    assert [one.output_shape for one in found.layers] == [(8, 6)] * 4 + [(8, 3)]
    assert [one.n_parameters for one in found.layers] == [30, 12, 0, 0, 21]
    assert [one.n_statistics for one in found.layers] == [0, 12, 0, 0, 0]
    assert found.n_parameters == NETWORK.n_parameters == 63
    assert found.parameter_bytes == 4 * (63 + 12)
    assert found.gradient_bytes == 4 * 63
    assert found.slot_bytes == 3 * 4 * 63
    assert found.activation_bytes == 4 * 8 * (4 + 6 + 6 + 6 + 6 + 3)
    assert found.total_bytes == 300 + 252 + 756 + 992
    text = str(found)
    assert text.startswith("5 layers on 4 columns, float32\n")
    for line in ("2  batch_norm", "8 x 6", "63 parameters", "3 slots of the optimizer", "2.3 kB"):
        assert line in text
    assert repr(found) == text


def test_a_summary_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="batch_size=0"):
        summary(NETWORK, 0)
    with pytest.raises(ValueError, match="n_slots=-1"):
        summary(NETWORK, n_slots=-1)


def test_numbers_are_those_of_the_arrays(backend: Backend) -> None:
    (X, y), theta = rows(), NETWORK.initial(np.random.default_rng(1))
    weight = np.random.default_rng(2).uniform(0.5, 1.5, 40)
    flow = examine_flow(
        NETWORK, theta, *map(backend.from_numpy, (X, y, weight)), key=5, backend=backend
    )
    leaves = NETWORK.unpack(theta)
    key = np.asarray(5, dtype=np.uint32)
    loss, grads, _ = NETWORK.loss_gradient(np, leaves, X, y, weight, key=key)
    raw = NETWORK.forward(np, leaves, X, training=True, key=key).raw
    d_raw = weight[:, None] * NETWORK.output.gradient(np, y, raw)
    assert (flow.loss, flow.n_samples) == (pytest.approx(loss / 40), 40)
    first, last = flow.layers[0], flow.layers[-1]
    output = X @ leaves[0] + leaves[1]
    assert first.activations == pytest.approx(
        (output.mean(), output.std(), np.abs(output).max()), abs=1e-15
    )
    assert last.d_outputs == pytest.approx(
        (d_raw.mean(), d_raw.std(), np.abs(d_raw).max()), abs=1e-15
    )
    own = np.concatenate([grads[-2].ravel(), grads[-1]]) / 40
    assert last.gradients == pytest.approx((own.mean(), own.std(), np.abs(own).max()), abs=1e-15)
    assert last.d_outputs.size == pytest.approx(np.sqrt(np.mean(d_raw**2)))
    assert [one.gradients is None for one in flow.layers] == [False, False, True, True, False]
    counts, edges = np.histogram(output, bins=len(first.counts))
    assert first.counts.sum() == counts.sum() == output.size
    np.testing.assert_allclose(first.edges, edges)
    assert flow.findings == ()
    assert "Nothing is conspicuous." in str(flow)


def test_dead_units_are_counted() -> None:
    X, y = rows()
    network = Network(4, (Affine(6), ReLU(), Affine(5), ReLU(), Affine(3)), SoftmaxCrossEntropy())
    theta = network.initial(np.random.default_rng(2))
    network.unpack(theta)[1][:2] = -50.0
    flow = examine_flow(network, theta, X, y)
    assert [one.n_dead for one in flow.layers] == [None, 2, None, 0, None]
    assert flow.findings == ("layer 2 (relu): 2 of 6 units are dead: 0 for all 40 rows",)
    assert "2 of 6" in str(flow)
    network.unpack(theta)[3][:] = -50.0
    flow = examine_flow(network, theta, X, y)
    assert flow.findings[1:] == (
        "layer 4 (relu): 5 of 5 units are dead: 0 for all 40 rows",
        "no gradient reaches layer 3 (affine)",
    )


@pytest.mark.parametrize("layer", [Sigmoid(), Tanh()], ids=lambda layer: layer.name)
def test_saturation_is_measured(layer: Any) -> None:
    X, y = rows(200)
    network = Network(4, (Affine(8, "normal", 20.0), layer, Affine(3)), SoftmaxCrossEntropy())
    theta = network.initial(np.random.default_rng(0))
    flow = examine_flow(network, theta, X, y)
    output = X @ network.unpack(theta)[0]
    # Where the function is 0.99 on its way from 0 or -1 to 1.
    limit = np.log(99.0) if layer.name == "sigmoid" else np.arctanh(0.99)
    share = np.mean(np.abs(output) > limit)
    assert flow.layers[1].saturated == pytest.approx(share, abs=1e-12)
    assert flow.findings[0] == (
        f"layer 2 ({layer.name}): {100 * share:.0f} % of the outputs are saturated"
    )
    assert flow.layers[0].saturated is None


def test_gradients_that_vanish_or_explode_are_named() -> None:
    X, y = rows()
    vanishing = examine_flow(*deep(Sigmoid(), "xavier"), X, y)
    assert len(vanishing.findings) == 1
    assert vanishing.findings[0].startswith("gradients vanish: layer 1's are ")
    assert vanishing.findings[0].endswith(" of layer 13's")
    exploding = examine_flow(*deep(ReLU(), "normal", 3.0), X, y)
    assert any(f.startswith("gradients explode: layer 1's are ") for f in exploding.findings)
    assert not any("explode" in f or "vanish" in f for f in
                   examine_flow(*deep(Tanh(), "xavier"), X, y).findings)  # fmt: skip


def test_what_is_not_finite_is_named_where_it_begins() -> None:
    X, y = rows()
    theta = NETWORK.initial(np.random.default_rng(0))
    theta[0] = np.nan
    assert examine_flow(NETWORK, theta, X, y).findings == (
        "layer 1 (affine): outputs are not finite",
    )
    network = Network(4, (Affine(3), Affine(2)), SquaredError())
    theta = network.initial(np.random.default_rng(0))
    target = np.full((40, 2), np.inf)
    assert examine_flow(network, theta, X, target).findings == (
        "layer 2 (affine): gradients are not finite",
    )


def test_float32_and_sparse_rows_are_looked_at_too() -> None:
    X, y = rows()
    X[X < 0.0] = 0.0
    network = Network(4, (Affine(6), ReLU(), Affine(3)), SoftmaxCrossEntropy())
    theta = network.initial(np.random.default_rng(0))
    dense = examine_flow(network, theta, X, y)
    sparse = examine_flow(network, theta, scipy.sparse.csr_array(X), y)
    narrow = examine_flow(network, theta.astype(np.float32), X, y)
    for one in (sparse, narrow):
        assert one.loss == pytest.approx(dense.loss, rel=1e-5)
        assert one.layers[0].gradients == pytest.approx(dense.layers[0].gradients, rel=1e-3)
