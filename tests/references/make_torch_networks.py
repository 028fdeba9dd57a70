"""Writes `torch_networks.npz`: losses, gradients and running statistics by PyTorch in float64.

    python tests/references/make_torch_networks.py

`test_stored_references.py` calls `computed` where PyTorch is installed, and compares.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from network_cases import NETWORKS, Rows, batches_of, theta_of
from stored_references import write

Arrays = dict[str, np.ndarray[Any, Any]]


def _module(layer: Any, n_inputs: int) -> Any:
    from torch import nn

    # Its softplus goes over to x at the threshold.
    kinds = {
        "affine": lambda: nn.Linear(n_inputs, layer.n_outputs),
        "batch_norm": lambda: nn.BatchNorm1d(n_inputs, eps=layer.epsilon, momentum=layer.momentum),
        "layer_norm": lambda: nn.LayerNorm(n_inputs, eps=layer.epsilon),
        "identity": nn.Identity,
        "sigmoid": nn.Sigmoid,
        "tanh": nn.Tanh,
        "relu": nn.ReLU,
        "leaky_relu": lambda: nn.LeakyReLU(layer.slope),
        "gelu": lambda: nn.GELU(approximate="tanh"),
        "softplus": lambda: nn.Softplus(threshold=500.0),
        "softmax": lambda: nn.Softmax(dim=1),
        "log_softmax": lambda: nn.LogSoftmax(dim=1),
    }
    return kinds[layer.name]().double()


def _losses(kind: str, raw: Any, y: Any) -> Any:
    import torch
    from torch.nn import functional

    target = torch.as_tensor(y)
    if kind == "softmax_cross_entropy":
        return functional.cross_entropy(raw, target, reduction="none")
    if kind == "sigmoid_cross_entropy":
        losses = functional.binary_cross_entropy_with_logits(raw, target, reduction="none")
        return losses.sum(dim=1)
    return 0.5 * functional.mse_loss(raw, target, reduction="none").sum(dim=1)


OURS = {"W": "weight", "b": "bias", "gamma": "weight", "beta": "bias",
        "running_mean": "running_mean", "running_variance": "running_var"}  # fmt: skip


def _turned(place: Any, value: Any) -> Any:
    return value.T if place.name == "W" else value


def _network(name: str) -> Arrays:
    import torch

    network, theta = NETWORKS[name], theta_of(name)
    modules = [_module(layer, network.widths[i]) for i, layer in enumerate(network.layers)]
    own = [getattr(modules[place.layer], OURS[place.name]) for place in network.places]
    with torch.no_grad():
        for place, array, value in zip(network.places, own, network.unpack(theta), strict=True):
            array.copy_(torch.as_tensor(_turned(place, value)))
    whole = torch.nn.Sequential(*modules)
    batches = batches_of(name)

    def loss_of(rows: Rows, X: Any) -> Any:
        losses = _losses(network.output.name, whole(X), rows.y)
        return (torch.as_tensor(rows.weight) * losses).sum()

    X = torch.tensor(batches[0].X, requires_grad=True)
    loss = loss_of(batches[0], X)
    loss.backward()
    grads = [
        np.ravel(_turned(place, array.grad.numpy()))
        for place, array in zip(network.places, own, strict=True)
        if place.trained
    ]
    for rows in batches[1:]:
        loss_of(rows, torch.as_tensor(rows.X))
    statistics = [
        array.numpy().copy()
        for place, array in zip(network.places, own, strict=True)
        if not place.trained
    ]
    whole.eval()
    return {
        f"{name}/loss": loss.detach().numpy(),
        f"{name}/gradient": np.concatenate(grads),
        f"{name}/d_input": X.grad.numpy(),
        f"{name}/statistics": np.concatenate([*statistics, np.zeros(0)]),
        f"{name}/prediction": whole(torch.as_tensor(batches[0].X)).detach().numpy(),
    }


def computed() -> Arrays:
    """All that is stored, from the PyTorch that is installed."""
    found: Arrays = {}
    for name in NETWORKS:
        found |= _network(name)
    return found


if __name__ == "__main__":
    import torch

    made_with = np.asarray([f"torch {torch.__version__}", f"numpy {np.__version__}"])
    write("torch_networks", {"versions": made_with, **computed()})
