"""Layers and outputs: against loops, against differences, at extremes, in float32."""

from __future__ import annotations

import itertools
from typing import Any

import network_loops as loops
import numpy as np
import pytest
from helpers import assert_matches

from xpfit.backends import Backend
from xpfit.core.gradient_check import gradient_check
from xpfit.core.network import (
    ACTIVATIONS,
    Affine,
    BatchNorm,
    Dropout,
    LayerNorm,
    LeakyReLU,
    Moment,
    Network,
    ReLU,
    SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
    SquaredError,
)

LAYERS: dict[str, Any] = {
    **{name: kind() for name, kind in ACTIVATIONS.items()},
    "leaky_relu_0.3": LeakyReLU(0.3),
    "affine": Affine(4),
    "batch_norm": BatchNorm(),
    "layer_norm": LayerNorm(),
    "dropout": Dropout(0.4),
    "dropout_0": Dropout(0.0),
}
OUTPUTS: dict[str, Any] = {
    "softmax_cross_entropy": SoftmaxCrossEntropy(),
    "sigmoid_cross_entropy": SigmoidCrossEntropy(),
    "squared_error": SquaredError(),
}
N, K = 6, 3


def arrays_for(layer: Any, rng: np.random.Generator, dtype: Any = np.float64) -> Any:
    """Parameters, statistics, none of them 0 or 1."""
    wanted = (*layer.parameters(K), *layer.statistics(K))
    made = tuple(rng.uniform(0.5, 1.5, each.shape).astype(dtype) for each in wanted)
    n = len(layer.parameters(K))
    return made[:n], made[n:]


def target_for(name: str, n: int, k: int, rng: np.random.Generator, dtype: Any) -> Any:
    if name == "softmax_cross_entropy":
        return rng.integers(0, k, n)
    if name == "sigmoid_cross_entropy":
        return rng.integers(0, 2, (n, k)).astype(dtype)
    return rng.normal(size=(n, k)).astype(dtype)


def moved(backend: Backend, arrays: Any) -> Any:
    return tuple(backend.from_numpy(array) for array in arrays)


def moment_of(backend: Backend, *, training: bool = True) -> Moment:
    return Moment(training, backend.from_numpy(np.asarray(2**31 + 7, dtype=np.uint32)))


@pytest.mark.parametrize("name", LAYERS)
def test_backward_is_the_derivative(backend: Backend, name: str) -> None:
    layer, rng = LAYERS[name], np.random.default_rng(0)
    parameters, statistics = (moved(backend, part) for part in arrays_for(layer, rng))
    x = backend.from_numpy(rng.normal(size=(N, K)) * 2.0)
    d = backend.from_numpy(rng.normal(size=(N, layer.n_outputs_for(K))))
    xp, moment = backend.xp, moment_of(backend)

    def along(at: Any) -> Any:
        return xp.sum(d * layer.forward(xp, at[1], statistics, at[0], moment)[0])

    def gradients(x: Any, parameters: Any) -> Any:
        context = layer.forward(xp, parameters, statistics, x, moment)[1]
        dx, found = layer.backward(xp, parameters, context, d)
        return dx, found, layer.parameter_gradients(xp, parameters, context, d)

    dx, found, alone = backend.jit(gradients)(x, parameters)
    report = gradient_check(
        backend.jit(along), (dx, tuple(found)), (x, parameters), backend=backend
    )
    assert report.rtol == 5e-6
    assert report.passed, report
    for one, other in zip(found, alone, strict=True):
        np.testing.assert_array_equal(backend.to_numpy(one), backend.to_numpy(other))


@pytest.mark.parametrize("name", OUTPUTS)
def test_the_gradient_of_an_output_is_the_derivative(backend: Backend, name: str) -> None:
    output, rng, xp = OUTPUTS[name], np.random.default_rng(1), backend.xp
    raw = backend.from_numpy(rng.normal(size=(N, K)) * 2.0)
    y = backend.from_numpy(target_for(name, N, K, rng, np.float64))
    weight = backend.from_numpy(rng.uniform(0.5, 2.0, N))
    report = gradient_check(
        backend.jit(lambda raw: xp.sum(weight * output.losses(xp, y, raw))),
        weight[:, None] * backend.jit(lambda raw: output.gradient(xp, y, raw))(raw),
        raw,
        backend=backend,
    )
    assert report.passed, report


EXTREMES = np.concatenate([[0.0], np.geomspace(1e-3, 1e3, 14)])


def extreme_rows(dtype: str) -> Any:
    values = np.concatenate([-EXTREMES[::-1], EXTREMES])
    # All pairs, so that a row holds both 1e3 and -1e3.
    return np.asarray([[a, b, 0.0] for a, b in itertools.product(values, values)], dtype=dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", LAYERS)
def test_layers_are_finite_at_extremes_and_keep_the_dtype(
    backend: Backend, name: str, dtype: str
) -> None:
    layer, rng, x = LAYERS[name], np.random.default_rng(2), extreme_rows(dtype)
    parameters, statistics = (moved(backend, part) for part in arrays_for(layer, rng, dtype))
    d = np.ones((len(x), layer.n_outputs_for(K)), dtype)
    for training in (False, True):

        def run(x: Any, d: Any, parameters: Any, statistics: Any, training: bool = training) -> Any:
            output, context, after = layer.forward(
                backend.xp, parameters, statistics, x, moment_of(backend, training=training)
            )
            if not training:
                return output, *after
            dx, found = layer.backward(backend.xp, parameters, context, d)
            return output, *after, dx, *found

        arguments = *moved(backend, (x, d)), parameters, statistics
        for array in backend.jit(run)(*arguments):
            values = backend.to_numpy(array)
            assert values.dtype == dtype
            assert np.all(np.isfinite(values))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", OUTPUTS)
def test_outputs_are_finite_at_extremes_and_keep_the_dtype(
    backend: Backend, name: str, dtype: str
) -> None:
    output, raw = OUTPUTS[name], extreme_rows(dtype)
    # y comes as it is stored: float64 beside float32 parameters too.
    y = target_for(name, len(raw), K, np.random.default_rng(3), np.float64)
    found = backend.jit(
        lambda y, raw: (
            output.losses(backend.xp, y, raw),
            output.gradient(backend.xp, y, raw),
            output.predict(backend.xp, raw),
        )
    )(*moved(backend, (y, raw)))
    for array in found:
        values = backend.to_numpy(array)
        assert values.dtype == dtype
        assert np.all(np.isfinite(values))
    assert np.all(backend.to_numpy(found[0]) >= 0.0)


TINY = np.random.default_rng(4).normal(size=(3, 2)) * 2.0
TINY_D = np.random.default_rng(5).normal(size=(3, 2))


def both_ways(backend: Backend, layer: Any, parameters: Any, x: Any, d: Any) -> Any:
    own = moved(backend, parameters)
    output, context, _ = layer.forward(
        backend.xp, own, (), backend.from_numpy(x), moment_of(backend)
    )
    return output, *layer.backward(backend.xp, own, context, backend.from_numpy(d))


def test_affine_is_its_loops(backend: Backend) -> None:
    W, b = np.asarray([[1.0, -2.0], [0.5, 3.0]]), np.asarray([0.25, -1.0])
    output, dx, grads = both_ways(backend, Affine(2), (W, b), TINY, TINY_D)
    rows = loops.as_rows(TINY)
    expected = loops.affine_backward(rows, loops.as_rows(W), loops.as_rows(TINY_D))
    assert_matches(output, loops.affine(rows, loops.as_rows(W), b.tolist()), backend=backend,
                   rtol=1e-14)  # fmt: skip
    for actual, wanted in zip((dx, *grads), expected, strict=True):
        assert_matches(actual, wanted, backend=backend, rtol=1e-13)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_are_their_loops(backend: Backend, name: str) -> None:
    x, d = loops.as_rows(TINY), loops.as_rows(TINY_D)
    if name in loops.SCALARS:
        value, slope = loops.activation(name, x), loops.activation_backward(name, x, d)
    else:
        value = np.asarray(loops.softmax(x))
        value = np.log(value) if name == "log_softmax" else value
        slope = loops.softmax_backward(x, d, log=name == "log_softmax")
    output, dx, grads = both_ways(backend, ACTIVATIONS[name](), (), TINY, TINY_D)
    assert_matches(output, value, backend=backend, rtol=1e-12)
    assert_matches(dx, slope, backend=backend, rtol=1e-12, atol=1e-15)
    assert grads == ()


def test_not_a_number_is_not_hidden(backend: Backend) -> None:
    x = backend.from_numpy(np.asarray([[np.nan, 1.0]]))
    for name, kind in ACTIVATIONS.items():
        output = kind().forward(backend.xp, (), (), x, moment_of(backend))[0]
        assert np.isnan(backend.to_numpy(output)[0, 0]), name


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Affine(0), r"n_outputs=0\. A layer has a whole number of outputs, at least 1"),
        (lambda: Affine(True), "n_outputs=True"),
        (lambda: Affine(2.5), "n_outputs=2.5"),
        (lambda: Affine(2, "lecun"), r"no initializer 'lecun'\. Choose one of zeros, normal"),
        (lambda: Affine(2, "normal", -1.0), r"scale=-1\.0"),
        (lambda: Affine(2, "normal", float("nan")), "scale=nan"),
        (lambda: Affine(2, "he", 0.1), "'he' has no use for scale=0.1"),
        (lambda: Dropout(1.0), r"rate=1\.0, the share of units left out\. It must be at least 0"),
        (lambda: Dropout(-0.1), "rate=-0.1"),
        (lambda: Dropout(float("nan")), "rate=nan"),
        (lambda: BatchNorm(momentum=0.0), r"momentum=0\.0"),
        (lambda: BatchNorm(epsilon=-1.0), r"epsilon=-1\.0"),
        (lambda: LayerNorm(epsilon=-1.0), r"epsilon=-1\.0"),
        (lambda: LayerNorm(epsilon=float("nan")), "epsilon=nan"),
        (lambda: LeakyReLU(float("inf")), "slope=inf"),
        (lambda: Network(3, (ReLU(),), SquaredError()), "1 layers on 3 columns has nothing"),
        (lambda: Network(0, (Affine(1),), SquaredError()), "on 0 columns"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused(make: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        make()


def test_a_random_layer_without_a_key_says_so() -> None:
    with pytest.raises(ValueError, match="Dropout was given no key"):
        Dropout(0.5).forward(np, (), (), np.ones((2, 2)), Moment(training=True))
