"""What several test files share: assertions, differences, reference formulas, random tables.

The reference formulas are written apart from `xpfit.core.losses`, in extended precision where the
machine has it, and straight from the definitions.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from xpfit.backends import Backend
from xpfit.core.gradient_check import finite_difference
from xpfit.core.losses import (
    HALF_BINOMIAL,
    HALF_MULTINOMIAL,
    HALF_POISSON,
    HALF_SQUARED_ERROR,
    SQUARED_HINGE,
    PointwiseLoss,
    huber,
)

Wide = np.longdouble


def assert_matches(
    actual: Any, expected: Any, *, backend: Backend, rtol: float, atol: float = 0.0
) -> None:
    """Raise unless `actual` is an array of this backend with the dtype, the shape and then the
    values of the NumPy array `expected`."""
    expected = np.asarray(expected)
    kind = type(actual)
    # NumPy's own functions turn arrays without axes into its scalars.
    scalar = backend.array_type is np.ndarray and isinstance(actual, np.generic)
    if not (scalar or isinstance(actual, backend.array_type)):
        message = f"an array of {backend.name} was expected, not {kind.__module__}.{kind.__name__}"
        raise AssertionError(message)
    values = backend.to_numpy(actual)
    if values.dtype != expected.dtype:
        message = f"dtype {values.dtype}, expected {expected.dtype}"
        raise AssertionError(message)
    if tuple(actual.shape) != expected.shape:
        message = f"shape {tuple(actual.shape)}, expected {expected.shape}"
        raise AssertionError(message)
    np.testing.assert_allclose(values, expected, rtol=rtol, atol=atol)


def assert_is_derivative(
    derivative: Callable[[Any], Any], function: Callable[[Any], Any], x: Any, rtol: float = 5e-6
) -> None:
    """Raise unless `derivative` is that of the element-wise `function` at x (NumPy float64)."""
    np.testing.assert_allclose(derivative(x), finite_difference(function, x), rtol=rtol, atol=1e-9)


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a fresh interpreter with these environment variables set ("" unsets one)."""
    variables = {**os.environ, **environment}
    variables = {name: value for name, value in variables.items() if value != ""}
    return subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def python_output(code: str, **environment: str) -> str:
    """What `code` prints in a fresh interpreter; raises with its traceback where it fails."""
    done = run_python(code, **environment)
    if done.returncode != 0:
        raise AssertionError(done.stdout + done.stderr)
    return done.stdout.strip()


def scaled_log_cosh_value(xp: Any, y: Any, raw_prediction: Any, scale: Any) -> Any:
    """scale * log(cosh(r)), r = raw - y, without overflow: a loss as a user writes one."""
    size = xp.abs(raw_prediction - y)
    return scale * (size + xp.log1p(xp.exp(-2.0 * size)) - 0.6931471805599453)


def scaled_log_cosh_gradient(xp: Any, y: Any, raw_prediction: Any, scale: Any) -> Any:
    """scale * tanh(r)."""
    return scale * xp.tanh(raw_prediction - y)


def scaled_log_cosh_curvature(xp: Any, y: Any, raw_prediction: Any, scale: Any) -> Any:
    """scale / cosh(r)**2."""
    tail = xp.exp(-2.0 * xp.abs(raw_prediction - y))
    return 4.0 * scale * tail / ((1.0 + tail) * (1.0 + tail))


USERS_OWN = PointwiseLoss(
    "scaled_log_cosh",
    scaled_log_cosh_value,
    scaled_log_cosh_gradient,
    scaled_log_cosh_curvature,
    parameters=(0.5,),
)


class Reference(NamedTuple):
    """A pointwise loss from its definition: one y and one raw prediction, both wide floats."""

    value: Callable[[Any, Any], Any]
    gradient: Callable[[Any, Any], Any]
    curvature: Callable[[Any, Any], Any]


def _sigmoid(raw: Any) -> Any:
    return np.exp(-np.logaddexp(Wide(0), -raw))


def _margin(y: Any, raw: Any) -> Any:
    return np.maximum(Wide(0), 1 - (2 * y - 1) * raw)


DELTA = 1.5

POINTWISE: dict[str, tuple[PointwiseLoss, Reference]] = {
    "half_squared_error": (
        HALF_SQUARED_ERROR,
        Reference(lambda y, r: (r - y) ** 2 / 2, lambda y, r: r - y, lambda y, r: r * 0 + 1),
    ),
    "half_binomial": (
        HALF_BINOMIAL,
        Reference(
            lambda y, r: y * np.logaddexp(Wide(0), -r) + (1 - y) * np.logaddexp(Wide(0), r),
            lambda y, r: (1 - y) * _sigmoid(r) - y * _sigmoid(-r),
            lambda y, r: _sigmoid(r) * _sigmoid(-r),
        ),
    ),
    "half_poisson": (
        HALF_POISSON,
        Reference(
            lambda y, r: np.exp(r) - y * r, lambda y, r: np.exp(r) - y, lambda y, r: np.exp(r)
        ),
    ),
    "huber": (
        huber(DELTA),
        Reference(
            lambda y, r: np.where(
                abs(r - y) <= DELTA, (r - y) ** 2 / 2, DELTA * (abs(r - y) - Wide(DELTA) / 2)
            ),
            lambda y, r: np.clip(r - y, -DELTA, DELTA),
            lambda y, r: np.where(abs(r - y) <= DELTA, Wide(1), Wide(0)),
        ),
    ),
    "squared_hinge": (
        SQUARED_HINGE,
        Reference(
            lambda y, r: _margin(y, r) ** 2,
            lambda y, r: -2 * (2 * y - 1) * _margin(y, r),
            lambda y, r: np.where(_margin(y, r) > 0, Wide(2), Wide(0)),
        ),
    ),
    "users_own": (
        USERS_OWN,
        Reference(
            lambda y, r: (np.logaddexp(r - y, y - r) - np.log(Wide(2))) / 2,
            lambda y, r: np.tanh(r - y) / 2,
            # Of exponentials that cannot overflow: cosh(1000) does where there is no wide float.
            lambda y, r: 2 * _sigmoid(2 * (r - y)) * _sigmoid(-2 * (r - y)),
        ),
    ),
}
LOSS_NAMES = (*POINTWISE, "half_multinomial")


def loss_called(name: str) -> Any:
    """The loss of that name in `POINTWISE`, or the multinomial one."""
    return HALF_MULTINOMIAL if name == "half_multinomial" else POINTWISE[name][0]


def targets_for(name: str, n_samples: int, rng: np.random.Generator) -> Any:
    """Random y in the domain of the loss, float64."""
    if name in {"half_binomial", "squared_hinge"}:
        return rng.integers(0, 2, n_samples).astype(float)
    if name == "half_poisson":
        return rng.poisson(1.5, n_samples).astype(float)
    if name == "half_multinomial":
        return rng.integers(0, 3, n_samples).astype(float)
    return rng.standard_normal(n_samples) * 2.0


def table_of(dtype: str, order: str, shape: tuple[int, int], rng: np.random.Generator) -> Any:
    """A random X whose values the dtype holds exactly."""
    if dtype == "bool":
        X = rng.integers(0, 2, shape)
    elif dtype.startswith("uint"):
        X = rng.integers(0, 9, shape)
    elif dtype.startswith("int"):
        X = rng.integers(-5, 6, shape)
    else:
        X = rng.standard_normal(shape)
    return np.asarray(X.astype(dtype), order=order)


class LoopSums(NamedTuple):
    """What `loop_pass` adds up; the last two only for a pointwise loss."""

    loss: Any
    grad_W: Any  # noqa: N815
    grad_b: Any
    product_W: Any  # noqa: N815
    product_b: Any
    gram: Any


def _multinomial_row(y: Any, raw: Any, along: Any) -> tuple[Any, Any, Any]:
    largest = max(raw)
    total = sum(np.exp(r - largest) for r in raw)
    proba = np.asarray([np.exp(r - largest) / total for r in raw])
    chosen = np.asarray([Wide(k == y) for k in range(len(raw))])
    value = np.log(total) + largest - raw[int(y)]
    return value, proba - chosen, proba * (along - sum(proba * along))


def loop_pass(name: str, X: Any, y: Any, weight: Any, W: Any, b: Any, D: Any, c: Any) -> LoopSums:
    """The oracle: one sample, one feature, one output at a time, from the definitions.

    Curvature products are along the direction (D, c).
    """
    (n_samples, n_features), n_outputs = X.shape, W.shape[1]
    X, y, W, b, D, c = (np.asarray(array).astype(Wide) for array in (X, y, W, b, D, c))
    loss = Wide(0)
    grads = np.zeros((n_features + 1, n_outputs), Wide)
    products = np.zeros((n_features + 1, n_outputs), Wide)
    gram = np.zeros((n_features + 1, n_features + 1), Wide)
    for i in range(n_samples):
        row = [*X[i], Wide(1)]
        raw = [sum(X[i, j] * W[j, k] for j in range(n_features)) + b[k] for k in range(n_outputs)]
        along = np.asarray(
            [sum(X[i, j] * D[j, k] for j in range(n_features)) + c[k] for k in range(n_outputs)]
        )
        factor = Wide(1) if weight is None else Wide(weight[i])
        if name == "half_multinomial":
            value, gradient, bent = _multinomial_row(y[i], raw, along)
        else:
            reference = POINTWISE[name][1]
            value = reference.value(y[i], raw[0])
            gradient = [reference.gradient(y[i], raw[0])]
            curvature = reference.curvature(y[i], raw[0])
            bent = [curvature * along[0]]
            gram += factor * curvature * np.outer(row, row)
        loss += factor * value
        for j, x in enumerate(row):
            for k in range(n_outputs):
                grads[j, k] += factor * x * gradient[k]
                products[j, k] += factor * x * bent[k]
    return LoopSums(loss, grads[:-1], grads[-1], products[:-1], products[-1], gram)
