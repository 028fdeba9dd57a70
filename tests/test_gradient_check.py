"""The checker of gradients: what is right passes, what is off by 0.1 % does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from xpfit.backends import Backend
from xpfit.core.gradient_check import METHODS, finite_difference, gradient_check
from xpfit.core.network import (
    GELU,
    Affine,
    BatchNorm,
    Dropout,
    LayerNorm,
    Network,
    ReLU,
    Sigmoid,
    SigmoidCrossEntropy,
    Softmax,
    SoftmaxCrossEntropy,
    SquaredError,
    Tanh,
    check_network,
)

AT = {"a": np.linspace(-2.0, 3.0, 6).reshape(2, 3), "b": [np.asarray([3.0, 0.2])]}


def cost(p: Any) -> Any:
    return np.sum(np.sin(p["a"])) * p["b"][0][0] + p["b"][0][1] ** 2


def slope(p: Any, off: float = 1.0) -> Any:
    b = p["b"][0]
    return {
        "a": np.cos(p["a"]) * b[0],
        "b": [np.asarray([np.sum(np.sin(p["a"])), 2.0 * b[1] * off])],
    }


@pytest.mark.parametrize("method", METHODS)
def test_a_rule_that_is_off_by_a_thousandth_fails(method: str) -> None:
    assert gradient_check(cost, slope, AT, method=method).passed
    assert gradient_check(cost, slope(AT), AT, method=method).passed
    report = gradient_check(cost, lambda p: slope(p, 1.001), AT, method=method)
    assert [one.passed for one in report.comparisons] == [True, False]
    bad = report.comparisons[1]
    assert (bad.name, bad.worst, bad.n_checked) == ("['b'][0]", (1,), 2)
    assert bad.relative_error == pytest.approx(1e-3, rel=0.05)
    assert bad.absolute_error == pytest.approx(4e-4, rel=0.05)
    assert (bad.gradient, bad.difference) == pytest.approx((0.4004, 0.4), rel=1e-5)
    assert "1 of 2 wrong: ['b'][0]" in str(report)
    assert "WRONG" in str(report)


@pytest.mark.parametrize(("method", "order"), [(name, m.order) for name, m in METHODS.items()])
def test_differences_have_their_order(method: str, order: int) -> None:
    x = np.linspace(0.5, 2.0, 7)
    errors = [
        np.max(np.abs(finite_difference(np.exp, x, step, method) - np.exp(x)))
        for step in (0.1, 0.05)
    ]
    assert errors[0] / errors[1] == pytest.approx(2.0**order, rel=0.07)


def test_some_entries_are_compared_where_there_are_many() -> None:
    x = np.random.default_rng(0).normal(size=(40, 50))
    report = gradient_check(lambda p: np.sum(p**3), lambda p: 3 * p**2, x, max_entries=20)
    assert report.passed
    assert report.comparisons[0].n_checked == 20
    assert "20 of 2,000" in str(report)
    assert gradient_check(np.sum, np.ones_like, np.zeros((0, 2))).passed


def test_numbers_are_leaves_too() -> None:
    report = gradient_check(lambda p: p[0] ** 2 * p[1], [12.0, 4.0], [2.0, 3.0])
    assert report.passed, report
    assert [one.name for one in report.comparisons] == ["[0]", "[1]"]
    assert not gradient_check(lambda p: p[0] ** 2 * p[1], [12.0, 4.004], [2.0, 3.0]).passed


def test_a_kink_beside_the_point_is_no_error() -> None:
    x = np.asarray([1e-4, -1e-4])
    assert gradient_check(lambda p: np.sum(np.abs(p)), np.sign, x).passed
    assert not gradient_check(lambda p: np.sum(np.abs(p)), lambda p: 0 * p, x).passed


def test_what_is_not_finite_fails() -> None:
    x = np.asarray([1.0, 2.0])
    wrong = gradient_check(np.sum, np.asarray([1.0, np.nan]), x)
    assert not wrong.passed
    assert wrong.comparisons[0].absolute_error == np.inf
    with np.errstate(invalid="ignore"):
        assert not gradient_check(lambda p: np.sum(np.sqrt(p - 1)), np.ones_like, x).passed


def test_what_cannot_be_checked_is_refused() -> None:
    x = np.asarray([1.0, 2.0])
    with pytest.raises(ValueError, match=r"no .cubic. differences\. Choose one of forward, backw"):
        gradient_check(np.sum, np.ones_like, x, method="cubic")
    with pytest.raises(ValueError, match=r"float32\. Differences need the digits of float64"):
        gradient_check(np.sum, np.ones_like, x.astype(np.float32))
    with pytest.raises(ValueError, match=r"shape \(1,\), what it is the gradient of \(2,\)"):
        gradient_check(np.sum, np.ones(1), x)
    with pytest.raises(ValueError, match="does not fit"):
        gradient_check(np.sum, {"a": x}, x)


@dataclass(frozen=True)
class TanhOff(Tanh):
    """Its derivative is 0.1 % too large."""

    def derivative(self, xp: Any, kept: Any) -> Any:
        return 1.001 * (1.0 - kept * kept)


@dataclass(frozen=True)
class AffineOff(Affine):
    """Its derivative with respect to b is 0.1 % too large."""

    def parameter_gradients(self, xp: Any, parameters: Any, context: Any, d_output: Any) -> Any:
        dW, db = super().parameter_gradients(xp, parameters, context, d_output)
        return dW, 1.001 * db


def rows(kind: str) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(1)
    y = {
        "classes": rng.integers(0, 3, 8),
        "labels": rng.integers(0, 2, (8, 3)).astype(float),
        "values": rng.normal(size=(8, 3)),
    }[kind]
    return rng.normal(size=(8, 4)), y, rng.uniform(0.5, 2.0, 8)


NETWORKS = {
    "classes": Network(
        4, (Affine(6), BatchNorm(), ReLU(), Dropout(0.3), Affine(3)), SoftmaxCrossEntropy()
    ),
    "labels": Network(
        4, (BatchNorm(), Affine(5), LayerNorm(), GELU(), Affine(3)), SigmoidCrossEntropy()
    ),
    "values": Network(4, (Affine(5), Sigmoid(), Softmax(), Affine(3)), SquaredError()),
}


@pytest.mark.parametrize("kind", NETWORKS)
def test_every_gradient_of_a_network_is_checked(backend: Backend, kind: str) -> None:
    network = NETWORKS[kind]
    X, y, weight = (backend.from_numpy(array) for array in rows(kind))
    report = check_network(network, X, y, weight, max_entries=8, backend=backend)
    assert report.passed, report
    names = [one.name for one in report.comparisons]
    assert len(names) == len(network.layers) + network.n_trained
    assert len(set(names)) == len(names)


def test_the_layer_that_is_wrong_is_named() -> None:
    X, y, weight = rows("values")
    network = Network(4, (Affine(5), TanhOff(), Affine(3)), SquaredError())
    report = check_network(network, X, y, weight)
    wrong = [one.name for one in report.comparisons if not one.passed]
    # What a layer hands down reaches all that is before it.
    assert wrong == [
        "layer 1 affine: input", "layer 1 affine: W", "layer 1 affine: b", "layer 2 tanh: input",
    ]  # fmt: skip
    network = Network(4, (Affine(5), Tanh(), AffineOff(3)), SquaredError())
    report = check_network(network, X, y, weight, method="central")
    assert [one.name for one in report.comparisons if not one.passed] == ["layer 3 affine: b"]
