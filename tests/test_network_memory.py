"""A machine without memory for a network is told what of it is large: bytes, and the layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import sparse

from xpfit import MLPClassifier
from xpfit.backends import DeviceMemoryError
from xpfit.core.network import Affine, Network, ReLU, SquaredError
from xpfit.core.network.memory import memory_advice

X, Y = np.zeros((20, 300), dtype=np.float32), np.arange(20) % 2


def exhausted(*_: Any) -> Any:
    message = "Unable to allocate 6.79 GiB"
    raise MemoryError(message)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, r"4\.83 GB for 302,000,001 parameters of float32.*2 arrays like them that Adam keeps"),
        ({"dtype": "float64"}, r"9\.66 GB for .* of float64"),
        ({"solver": "sgd", "momentum": 0}, r"2\.42 GB for .* 0 arrays like them that SGD keeps"),
        ({"solver": "lbfgs", "backend": "jax"}, r"50\.7 GB for .* of float32, .* 40 arrays"),
        ({"solver": "lbfgs", "backend": "numpy"}, r"101 GB for .* of float64, .* 40 arrays"),
    ],
    ids=str,
)  # fmt: skip
def test_weights_that_are_too_large(
    options: Any, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Network, "initial", exhausted)
    with pytest.raises(DeviceMemoryError, match=text) as caught:
        MLPClassifier((1_000_000,), max_iter=1, **options).fit(X, Y)
    told = str(caught.value)
    assert "MLPClassifier" in told
    assert "belong to layer 1 (affine, 300 x 1,000,000). Take fewer units there" in told
    assert "shorter dtype" not in told  # X takes 24 kB


def test_x_or_activations_that_are_too_large() -> None:
    network = Network(300, (Affine(2000), ReLU(), Affine(1)), SquaredError())
    advice = memory_advice(network, X, 100_000, "float32", 2, "Adam")
    assert advice is not None
    assert "1.72 GB for what its layers return for 100,000 rows at a time; 800 MB of it" in advice
    assert "layer 1 (affine, 2,000 columns). Take a smaller batch_size" in advice
    long = np.broadcast_to(np.float32(0.0), (10**8, 300))
    assert memory_advice(network, long, 200, "float32", 2, "Adam") is None
    narrow = Network(300, (Affine(1),), SquaredError())
    few = sparse.csr_array((1, 300), dtype=np.float32)
    assert "X takes 0 B" in str(memory_advice(narrow, few, 1, "float32", 0, "SGD"))


def test_x_keeps_its_own_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Network, "initial", exhausted)
    with pytest.raises(DeviceMemoryError, match="give X in a shorter dtype"):
        MLPClassifier((), batch_size=1, max_iter=1).fit(X, Y)
