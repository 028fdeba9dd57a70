"""Training networks: divergence that names step and layer, and what is refused before it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from network_fits import CODES, NOISY, X, fit

from xpfit.core.network import (
    Affine,
    Layer,
    Network,
    Parameter,
    ReLU,
    SoftmaxCrossEntropy,
    SquaredError,
)
from xpfit.core.optimizers import SGD


class _Breaks(Layer):
    """Fine until some weights have grown."""

    name = "breaks"

    def forward(
        self, xp: Any, parameters: Any, statistics: Any, x: Any, moment: Any
    ) -> tuple[Any, Any, Any]:
        return xp.where(x > 3.0, xp.nan, x), None, statistics

    def backward(self, xp: Any, parameters: Any, context: Any, d_output: Any) -> Any:
        return d_output, ()


def test_divergence_names_step_and_layer() -> None:
    found = fit(optimizer=SGD(1e200), max_iter=3)
    assert found.result.stop_reason == "diverged"
    assert "is not finite at step 2, in epoch 1, where the output of layer" in found.result.message
    assert "learning rate was 1e+200" in found.result.message
    own = Network(6, (Affine(8), _Breaks(), Affine(3)), SoftmaxCrossEntropy())
    # One step an epoch: what the last step did is looked at too.
    once = fit(optimizer=SGD(1e200), batch_size=203, max_iter=3, l2_reg_strength=1e-4)
    assert "at step 1, in epoch 1, where the penalty of the weights" in once.result.message
    free = fit(optimizer=SGD(1e200), batch_size=203, max_iter=3)
    assert "at step 2, in epoch 2, where the output of layer 3" in free.result.message
    assert np.isfinite(free.theta).all()
    assert np.isfinite(once.theta).all()
    message = fit(own, optimizer=SGD(2.0), max_iter=40).result.message
    assert "where the output of layer 2 (breaks) is not finite" in message
    assert np.isfinite(fit(own, optimizer=SGD(2.0), max_iter=40).theta).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_bad_numbers_in_x_are_named(bad: float) -> None:
    broken = X.copy()
    broken[100, 4] = bad
    with pytest.raises(ValueError, match=r"column 4.*fit_network"):
        fit(X=broken)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"X": X[:, :4]}, r"X of shape \(203, 4\) for a network of 6 columns"),
        ({"X": X[:0], "y": CODES[:0]}, "X without rows"),
        ({"y": CODES + 1}, "codes of classes from 1 to 3 for a network of 3 outputs"),
        ({"y": CODES - 1}, "codes of classes from -1 to 1"),
        ({"y": CODES + 0.0}, r"y of float64 and shape \(203,\), where codes"),
        ({"sample_weight": np.ones(7)}, r"sample_weight of shape \(7,\) for X of 203 rows"),
        ({"sample_weight": np.zeros(203)}, "sample_weight whose sum is not above 0"),
        ({"held_out": np.arange(203)}, "all 203 rows are held out"),
        ({"network": NOISY, "batch_size": 1}, "batches of one row and for batch normalization"),
        ({"y": CODES[:7]}, "y of 7 rows for X of 203"),
        ({"y": np.zeros((203, 3))}, r"y of float64 and shape \(203, 3\), where codes"),
        ({"dtype": "float16"}, "dtype='float16'"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        fit(**options)


def test_real_targets_need_a_column_for_each_output() -> None:
    network = Network(6, (Affine(2),), SquaredError())
    for y in (X[:, 0], X[:, :3]):
        with pytest.raises(ValueError, match=r"for a network of 2 outputs: \(n, 2\)"):
            fit(network, y=y)


class _Wrong(Layer):
    """A layer whose mistakes are chosen."""

    name = "wrong"
    what = ""

    def parameters(self, n_inputs: int) -> Any:
        return (Parameter("c", (n_inputs,)),)

    def initial(self, n_inputs: int, rng: Any) -> Any:
        return (np.ones(n_inputs),)

    def forward(self, xp: Any, parameters: Any, statistics: Any, x: Any, moment: Any) -> Any:
        found = x * parameters[0], x, statistics
        return found[:2] if self.what == "forward" else found

    def backward(self, xp: Any, parameters: Any, context: Any, d_output: Any) -> Any:
        gradient = xp.sum(context * d_output, axis=0)
        if self.what == "summed":
            gradient = xp.sum(gradient)
        dx = d_output * parameters[0]
        return dx if self.what == "backward" else (dx, (gradient,))


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("forward", "forward returned tuple. It must return"),
        ("backward", "backward returned ndarray. It must return"),
        ("summed", r"gradients of shapes \[\(\)\] came from backward"),
    ],
)
def test_a_layer_that_returns_something_else_is_named(what: str, message: str) -> None:
    layer = _Wrong()
    layer.what = what
    network = Network(6, (Affine(4), layer, Affine(3)), SoftmaxCrossEntropy())
    with pytest.raises(TypeError, match=rf"Layer 2 \(wrong\): {message}"):
        fit(network)


def test_a_network_without_anything_to_train() -> None:
    with pytest.raises(ValueError, match="nothing to train"):
        Network(3, (ReLU(),), SquaredError())
