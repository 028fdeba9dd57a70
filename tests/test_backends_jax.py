"""What only JAX does: precision that depends on a mode, compilation, tracing."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from helpers import assert_matches, python_output

from xpfit.backends import Backend, backend_of, describe_array, resolve_backend
from xpfit.core.losses import HALF_BINOMIAL, HALF_MULTINOMIAL, PointwiseLoss, huber
from xpfit.core.passes import curvature_product, loss_gradient, predict_raw, weighted_gram

IN_32_BIT_MODE = """
import numpy as np
from xpfit.backends import get_backend, PrecisionError
jax = get_backend("jax")
def refused(action, *arguments):
    try:
        action(*arguments)
    except PrecisionError as problem:
        return str(problem)
    raise AssertionError("not refused")
"""
REMEDY = (
    "Set JAX_ENABLE_X64=1 before jax is imported, or call "
    'jax.config.update("jax_enable_x64", True), or pass float32. Nothing is truncated unasked.'
)


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        *((dtype, "float32") for dtype in ("float32", "float16", "bfloat16")),
        *((dtype, "float64") for dtype in ("float64", "int8", "uint8", "bool")),
    ],
)
def test_compute_dtype(jax_backend: Backend, dtype: str, expected: str) -> None:
    X = jax_backend.xp.zeros((2, 2), dtype=dtype)
    assert jax_backend.compute_dtype(X.dtype) == np.dtype(expected)


def test_32_bit_mode_refuses_to_truncate() -> None:
    printed = python_output(
        IN_32_BIT_MODE
        + """
print(refused(jax.compute_dtype, np.dtype("float64")))
print(refused(jax.from_numpy, np.zeros(3)))
refused(jax.from_numpy, np.zeros(3, complex))
refused(jax.from_numpy, np.asarray([2**31]))
refused(jax.from_numpy, np.asarray([-(2**31) - 1]))
for dtype in ("float32", "float16", "int32", "uint8", "bool", "complex64"):
    array = np.ones(3, dtype)
    assert jax.from_numpy(array).dtype == array.dtype
for dtype in ("float32", "float16", "bfloat16", "int32", "uint8", "bool"):
    assert jax.compute_dtype(jax.xp.zeros(1, dtype=dtype).dtype) == np.float32
labels = jax.from_numpy(np.asarray([0, 2**31 - 1, -(2**31)]))
assert labels.dtype == np.int32 and labels.tolist() == [0, 2**31 - 1, -(2**31)]
assert jax.from_numpy(np.zeros((0, 2), int)).shape == (0, 2)
import jax as library
assert not library.config.jax_enable_x64
""",
        JAX_ENABLE_X64="",
    )
    assert printed.splitlines() == [
        "float64 X was given to backend 'jax' (in compute_dtype()), but JAX is in its 32-bit mode, "
        "so results would silently be float32. " + REMEDY,
        "a float64 array was given to backend 'jax' (in from_numpy()), but JAX is in its 32-bit "
        "mode and would silently truncate it. " + REMEDY,
    ]


def test_32_bit_mode_computes_in_float32_without_a_warning() -> None:
    printed = python_output(
        "import warnings; warnings.simplefilter('error')"
        + IN_32_BIT_MODE
        + """
from xpfit.core.losses import HALF_BINOMIAL
from xpfit.core.passes import loss_gradient, curvature_product, weighted_gram, predict_raw
move = jax.from_numpy
X = move(np.arange(12, dtype=np.uint8).reshape(6, 2))
y = move(np.asarray([0, 1, 0, 1, 1, 0], np.float32))
W, b = move(np.ones((2, 1), np.float32) / 16), move(np.zeros(1, np.float32))
data = (X, y, None, W, b, HALF_BINOMIAL)
for fused in (None, False):
    sums = loss_gradient(*data, backend=jax, fused=fused)
    print(round(float(sums.loss), 4), round(float(sums.grad_b[0]), 4))
    gram = weighted_gram(*data, backend=jax, fused=fused)[1]
    product = curvature_product(*data, W, b, backend=jax, fused=fused)
    raw = predict_raw(X, W, b, backend=jax, fused=fused)
    assert {str(a.dtype) for a in (*sums, gram, *product, raw)} == {"float32"}
""",
        JAX_ENABLE_X64="0",
    )
    X = np.arange(12.0).reshape(6, 2)
    y = np.asarray([0.0, 1.0, 0.0, 1.0, 1.0, 0.0])
    raw = X @ np.ones(2) / 16
    loss, slope = np.sum(np.logaddexp(0, raw) - y * raw), np.sum(1 / (1 + np.exp(-raw)) - y)
    first, second = (np.asarray(line.split(), float) for line in printed.splitlines())
    np.testing.assert_allclose(first, [loss, slope], atol=1e-3)
    np.testing.assert_allclose(second, [loss, slope], atol=1e-3)


def test_importing_xpfit_neither_imports_jax_nor_switches_it() -> None:
    printed = python_output(
        """
import sys
import xpfit, xpfit.backends, xpfit.core.passes, xpfit.backends.jax_backend
assert "jax" not in sys.modules
import jax
before = dict(jax.config.values)
from xpfit.backends import get_backend
get_backend("jax").from_numpy(__import__("numpy").zeros(2, "float32"))
print(dict(jax.config.values) == before)
""",
        JAX_ENABLE_X64="",
    )
    assert printed == "True"


@pytest.mark.parametrize(
    ("plant", "expected"),
    [
        (
            "sys.modules['jax'] = None",
            "is not installed: no module named 'jax'. Install it with: pip install 'xpfit[jax]'.",
        ),
        ("sys.modules['jaxlib'] = None", "is installed but failed to import: "),
        (
            "import os; os.environ['JAX_PLATFORMS'] = 'nonsense'",
            "finds no device: Unable to initialize backend 'nonsense'",
        ),
    ],
    ids=["not-installed", "broken", "no-device"],
)
def test_an_unusable_jax_says_why(plant: str, expected: str) -> None:
    printed = python_output(
        f"""
import sys
{plant}
from xpfit.backends import get_backend, available_backends, BackendUnavailableError
try:
    get_backend("jax")
except BackendUnavailableError as problem:
    print(problem)
    assert isinstance(problem.__cause__, Exception)
print([status.reason for status in available_backends() if status.name == "jax"])
"""
    )
    text, reasons = printed.splitlines()
    assert text.startswith("backend 'jax' (from get_backend()) is ")
    assert expected in text
    assert text.endswith("No fallback is made.")
    assert expected in reasons.replace("\\'", "'")


def _table(jax_backend: Backend, n_samples: int = 130, dtype: str = "float64"):
    rng = np.random.default_rng(0)
    move = jax_backend.from_numpy
    X = move(rng.standard_normal((n_samples, 3)).astype(dtype))
    y = move(rng.integers(0, 2, n_samples).astype(dtype))
    W, b = move(rng.standard_normal((3, 1)).astype(dtype)), move(np.zeros(1, dtype))
    return X, y, None, W, b


def test_a_second_call_compiles_nothing_even_with_another_parameter(jax_backend: Backend) -> None:
    traced = []
    base = huber(1.0)

    def value(xp, y, raw_prediction, delta):
        traced.append("value")
        return base.value(xp, y, raw_prediction, delta)

    loss = PointwiseLoss("counted", value, base.gradient, base.curvature, parameters=(1.0,))
    data = _table(jax_backend)
    first = loss_gradient(*data, loss, backend=jax_backend)
    compiled = len(traced)
    assert compiled > 0
    again = loss_gradient(*data, loss, backend=jax_backend)
    other = dataclasses.replace(loss, parameters=(0.1,))
    narrower = loss_gradient(*data, other, backend=jax_backend)
    assert len(traced) == compiled
    assert float(again.loss) == float(first.loss)
    assert float(narrower.loss) < float(first.loss)
    loss_gradient(*_table(jax_backend, 131), loss, backend=jax_backend)
    assert len(traced) > compiled  # the counter counts


def test_the_fused_kernels_are_what_runs(jax_backend: Backend) -> None:
    passes = {"loss_gradient", "curvature_product", "weighted_gram", "column_sums", "predict_raw"}
    # These take a plan or a network: tests/test_rules_of_ones_own.py, test_network_backends.py.
    epochs = {"minibatch_epoch", "network_epoch", "network_sums"}
    assert set(jax_backend.kernels) == passes | epochs
    data = (*_table(jax_backend), HALF_BINOMIAL)
    for name in passes:
        kernel = jax_backend.kernels[name]
        assert kernel.accepts(*data)
        assert not kernel.accepts(np.zeros((2, 2)), *data[1:])


def _jit_of_every_pass(backend: Backend):
    def every(X, y, weight, W, b, direction_W, direction_b):
        data = (X, y, weight, W, b, HALF_BINOMIAL)
        return (
            tuple(loss_gradient(*data, backend=backend)),
            curvature_product(*data, direction_W, direction_b, backend=backend),
            weighted_gram(*data, backend=backend)[1],
            predict_raw(X, W, b, backend=backend),
        )

    return every


@pytest.mark.parametrize("fused", [True, False])
def test_passes_run_inside_a_function_that_the_user_compiles(
    jax_backend: Backend, fused: bool
) -> None:
    import jax

    backend = jax_backend if fused else dataclasses.replace(jax_backend, kernels={})
    every = _jit_of_every_pass(backend)
    arguments = (*_table(jax_backend), *_table(jax_backend)[3:])
    for actual, expected in zip(
        jax.tree.leaves(jax.jit(every)(*arguments)), jax.tree.leaves(every(*arguments)), strict=True
    ):
        assert_matches(actual, np.asarray(expected), backend=jax_backend, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("loss", [HALF_BINOMIAL, HALF_MULTINOMIAL], ids=lambda loss: loss.name)
def test_generic_passes_trace_the_multinomial_loss(jax_backend: Backend, loss) -> None:
    import jax

    X, y, _, W, b = _table(jax_backend)
    n_outputs = 3 if loss.is_multiclass else 1
    W, b = jax_backend.xp.tile(W, (1, n_outputs)), jax_backend.xp.zeros(n_outputs)
    generic = dataclasses.replace(jax_backend, kernels={})

    def passes(W):
        return loss_gradient(X, y, None, W, b, loss, backend=generic).loss

    slope = jax.jit(jax.grad(passes))(W)
    expected = loss_gradient(X, y, None, W, b, loss, backend=jax_backend).grad_W
    assert_matches(slope, np.asarray(expected), backend=jax_backend, rtol=1e-11, atol=1e-11)


def test_traced_arrays_join_concrete_ones(jax_backend: Backend) -> None:
    import jax

    X = jax_backend.from_numpy(np.ones((2, 2)))
    seen = []

    def function(W):
        seen.extend([backend_of(X, W), resolve_backend(None, W, X).name, describe_array(W)])
        return X @ W

    jax.jit(function)(jax_backend.from_numpy(np.ones((2, 1))))
    assert seen[:2] == ["jax", "jax"]
    assert seen[2].endswith("of float64 (traced)")


def test_many_blocks_and_a_rest(jax_backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    from xpfit.backends import jax_blocks

    X, y, weight, W, b = _table(jax_backend, 1003)
    data = (X, y, weight, W, b, HALF_BINOMIAL)
    whole = loss_gradient(*data, backend=jax_backend)
    gram = weighted_gram(*data, backend=jax_backend)[1]
    raw = predict_raw(X, W, b, backend=jax_backend)
    monkeypatch.setattr(jax_blocks, "CPU_BLOCK_BYTES", 1)  # 15 blocks of 64 rows, 43 rows left
    for actual, expected in zip(
        (*loss_gradient(*data, backend=jax_backend), weighted_gram(*data, backend=jax_backend)[1]),
        (*whole, gram),
        strict=True,
    ):
        assert_matches(actual, np.asarray(expected), backend=jax_backend, rtol=1e-12, atol=1e-12)
    # Integers and three outputs: the case in which predictions are made block by block.
    small = jax_backend.from_numpy(np.arange(3009, dtype=np.uint8).reshape(1003, 3) % 7)
    three = jax_backend.xp.tile(W, (1, 3)) * jax_backend.from_numpy(np.asarray([1.0, 2.0, 3.0]))
    actual = predict_raw(small, three, jax_backend.xp.ones(3), backend=jax_backend)
    expected = np.asarray(small).astype(float) @ np.asarray(three) + 1.0
    assert_matches(actual, expected, backend=jax_backend, rtol=1e-12)
    actual = predict_raw(X, W, b, backend=jax_backend)
    assert_matches(actual, np.asarray(raw), backend=jax_backend, rtol=1e-12, atol=1e-14)


def test_float64_weights_do_not_widen_float32_sums(jax_backend: Backend) -> None:
    X, y, _, W, b = _table(jax_backend, dtype="float32")
    weight = jax_backend.from_numpy(np.full(130, 2.0))
    sums = loss_gradient(X, y, weight, W, b, HALF_BINOMIAL, backend=jax_backend)
    assert {str(array.dtype) for array in sums} == {"float32"}


def test_float32_products_keep_their_digits(jax_backend: Backend) -> None:  # TF32 has 11 bits
    X = jax_backend.from_numpy(np.asarray([[1.0 + 2.0**-12]], np.float32))
    W = jax_backend.from_numpy(np.asarray([[1.0, 2.0]], np.float32))
    raw = predict_raw(X, W, jax_backend.from_numpy(np.zeros(2, np.float32)), backend=jax_backend)
    np.testing.assert_array_equal(np.asarray(raw), [[1.0 + 2.0**-12, 2.0 + 2.0**-11]])
