"""Losses, gradients and running statistics of networks are PyTorch's, which are stored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from network_cases import NETWORKS, batches_of, theta_of
from stored_references import stored

from xpfit.backends import Backend
from xpfit.core.network.trace import trace


@pytest.mark.parametrize("name", NETWORKS)
def test_losses_gradients_and_statistics_are_those_of_pytorch(backend: Backend, name: str) -> None:
    network, kept, xp = NETWORKS[name], stored("torch_networks"), backend.xp
    batches = [tuple(map(backend.from_numpy, rows)) for rows in batches_of(name)]
    theta = backend.from_numpy(theta_of(name))

    def run(theta: Any, batches: Any) -> Any:
        leaves = network.unpack(theta)
        X, y, weight = batches[0]
        loss, grads, after = network.loss_gradient(xp, leaves, X, y, weight)
        d_input = trace(network, xp, leaves, X, y, weight).d_values[0]
        for rows in batches[1:]:
            now = (*leaves[: network.n_trained], *after)
            after = network.forward(xp, now, rows[0], training=True).statistics
        now = (*leaves[: network.n_trained], *after)
        prediction = network.forward(xp, now, X, training=False).raw
        return (
            loss,
            network.pack(xp, grads),
            d_input,
            [xp.reshape(a, (-1,)) for a in after],
            (prediction),
        )

    def assert_close(actual: Any, what: str) -> None:
        expected = kept[f"{name}/{what}"]
        # What cancels (a bias before batch norm) is measured by the largest entry.
        atol = 1e-10 * np.max(np.abs(expected), initial=1e-4)
        np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=atol, err_msg=what)

    loss, gradient, d_input, statistics, prediction = backend.jit(run)(theta, batches)
    assert_close(backend.to_numpy(loss), "loss")
    assert_close(backend.to_numpy(gradient), "gradient")
    assert_close(backend.to_numpy(d_input), "d_input")
    assert_close(backend.to_numpy(prediction), "prediction")
    found = [backend.to_numpy(array) for array in statistics]
    assert_close(np.concatenate([*found, np.zeros(0)]), "statistics")


def test_the_networks_use_every_layer_that_is_not_random() -> None:
    from xpfit.core.network import ACTIVATIONS

    used = {layer.name for network in NETWORKS.values() for layer in network.layers}
    assert used == {*ACTIVATIONS, "affine", "batch_norm", "layer_norm"}
    assert len(NETWORKS) >= 12
