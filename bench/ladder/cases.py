"""The cases of the ladder, by name."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.losses import HALF_BINOMIAL, HALF_MULTINOMIAL, HALF_SQUARED_ERROR
from ..peers import jax_in_64_bits
from . import fused, loops, memory, training, vectorized
from .case import Case, Inputs
from .peers import sklearn_logistic_pass, torch_logistic_pass, torch_on
from .stored import stored_as

Generator = np.random.Generator
# Elements of the element-wise cases; a Python loop ends with the first or the second.
ELEMENTS = (1_000, 100_000, 10_000_000)
ROWS = (100, 10_000, 100_000)
FEATURES, CLASSES = 64, 10
STORED_ROWS = (1_000, 30_000, 300_000)
STORED = (
    ("float64", "F"), ("float32", "C"), ("float32", "F"), ("float16", "C"), ("uint8", "C"),
)  # fmt: skip
F8, I8 = 8, 8


def _vector(n: int, rng: Generator) -> Inputs:
    return (rng.standard_normal(n),)


def _two_vectors(n: int, rng: Generator) -> Inputs:
    return rng.standard_normal(n), rng.standard_normal(n)


def _table(n: int, rng: Generator) -> Inputs:
    return (rng.standard_normal((n, FEATURES)),)


def _logistic(n: int, rng: Generator) -> Inputs:
    X = rng.standard_normal((n, FEATURES))
    w = rng.standard_normal(FEATURES) / np.sqrt(FEATURES)
    y = (X @ w + rng.logistic(size=n) > 0.0).astype(np.float64)
    return X, y, w, np.asarray([0.1])


def _softmax(n: int, rng: Generator) -> Inputs:
    X = rng.standard_normal((n, FEATURES))
    W = rng.standard_normal((FEATURES, CLASSES)) / np.sqrt(FEATURES)
    return X, rng.integers(0, CLASSES, n), W, np.zeros(CLASSES)


def _fit(n: int, rng: Generator) -> Inputs:
    X, y, _, _ = _logistic(n, rng)
    return X, y


def _elementwise(name: str, what: str, operations: int, **more: Any) -> Case:
    return Case(
        name, what, ELEMENTS, _vector, getattr(vectorized, name), getattr(loops, name),
        bytes_moved=lambda n: 2 * F8 * n, operations=lambda n: operations * n,
        loop_numbers=lambda n: n, fused=getattr(fused, name), writes=True, **more,
    )  # fmt: skip


def _pass(name: str, what: str, make: Any, loss: Any, n_outputs: int = 1, **more: Any) -> Case:
    return Case(
        name, what, ROWS, make, getattr(vectorized, name), getattr(loops, name),
        bytes_moved=lambda n: F8 * n * (FEATURES + 1),
        operations=lambda n: 4 * n * FEATURES * n_outputs,
        loop_numbers=lambda n: 2 * n * FEATURES * n_outputs,
        fused=getattr(fused, name), fused_on_device=fused.pass_on(loss), group="kernels", **more,
    )  # fmt: skip


def _stored_pass(dtype: str, order: str) -> Case:
    """The logistic pass over X of another dtype or order. Numba's loops have no float16."""
    said = f"{dtype}, {'C' if order == 'C' else 'Fortran'} order"
    return Case(
        f"logistic_pass_{dtype}_{order.lower()}",
        f"logistic loss and gradients, X (n x 64) of {said}",
        STORED_ROWS, stored_as(_logistic, dtype, order), vectorized.logistic_pass, None,
        bytes_moved=lambda n: n * (FEATURES * np.dtype(dtype).itemsize + F8),
        operations=lambda n: 4 * n * FEATURES, loop_numbers=lambda n: 2 * n * FEATURES,
        fused=fused.logistic_pass, fused_on_device=fused.pass_on(HALF_BINOMIAL), group="dtypes",
    )  # fmt: skip


def _ways(name: str, what: str, sizes: tuple[int, ...], make: Any, ways: Any, **more: Any) -> Case:
    return Case(
        name, what, sizes, make, None, None, operations=lambda n: 0,
        loop_numbers=lambda n: 0, peers=ways, group="memory", **more,
    )  # fmt: skip


_ALL = (
    _elementwise(
        "affine", "2 x + 3", 2, peers={"PyTorch": torch_on(lambda torch, x: x * 2.0 + 3.0)}
    ),
    _elementwise(
        "sigmoid", "1 / (1 + exp(-x))", 20,
        peers={"PyTorch": torch_on(lambda torch, x: torch.sigmoid(x))},
    ),
    _elementwise("where", "x where x > 0, else 0.1 x", 2),
    Case(
        "sum_of_squares", "sum of x²", ELEMENTS, _vector, vectorized.sum_of_squares,
        loops.sum_of_squares, bytes_moved=lambda n: F8 * n, operations=lambda n: 2 * n,
        loop_numbers=lambda n: n, fused=fused.sum_of_squares,
        peers={"PyTorch": torch_on(lambda torch, x: (x * x).sum())},
    ),
    Case(
        "dot", "x · y", ELEMENTS, _two_vectors, vectorized.dot, loops.dot,
        bytes_moved=lambda n: 2 * F8 * n, operations=lambda n: 2 * n, loop_numbers=lambda n: n,
        fused=fused.dot, tolerance=1e-8,
    ),
    Case(
        "masked_sum", "sum of the x > 0", ELEMENTS, _vector, vectorized.masked_sum,
        loops.masked_sum, bytes_moved=lambda n: F8 * n, operations=lambda n: n,
        loop_numbers=lambda n: n, fused=fused.masked_sum,
    ),
    Case(
        "fancy_indexing", "table[index], a table of 1,000 numbers", ELEMENTS,
        lambda n, rng: (rng.standard_normal(1000), rng.integers(0, 1000, n)),
        vectorized.fancy_indexing, loops.fancy_indexing,
        bytes_moved=lambda n: (F8 + I8) * n, operations=lambda n: 0, loop_numbers=lambda n: n,
        writes=True,
    ),
    Case(
        "one_hot", "labels (n,) to (n, 10)", (1_000, 100_000, 1_000_000),
        lambda n, rng: (rng.integers(0, 10, n),), vectorized.one_hot, loops.one_hot,
        bytes_moved=lambda n: (10 * F8 + I8) * n, operations=lambda n: 0, loop_numbers=lambda n: n,
        writes=True,
    ),
    Case(
        "matrix_product", "A (n x n) @ B (n x n)", (16, 128, 1024),
        lambda n, rng: (rng.standard_normal((n, n)), rng.standard_normal((n, n))),
        vectorized.matrix_product, loops.matrix_product, bytes_moved=lambda n: 3 * F8 * n * n,
        operations=lambda n: 2 * n**3, loop_numbers=lambda n: n**3,
    ),
    Case(
        "pairwise_differences", "squared distances of X (n x 8)", (30, 300, 1_500),
        lambda n, rng: (rng.standard_normal((n, 8)),), vectorized.pairwise_differences,
        loops.pairwise_differences, bytes_moved=lambda n: F8 * n * n,
        operations=lambda n: 24 * n * n, loop_numbers=lambda n: 8 * n * n,
    ),
    Case(
        "standardize", "columns of X (n x 64) to mean 0, deviation 1", ROWS, _table,
        vectorized.standardize, loops.standardize, bytes_moved=lambda n: 2 * F8 * n * FEATURES,
        operations=lambda n: 6 * n * FEATURES, loop_numbers=lambda n: 3 * n * FEATURES, writes=True,
    ),
    Case(
        "add_bias", "Z (n x 64) + b (64,)", ROWS,
        lambda n, rng: (rng.standard_normal((n, FEATURES)), rng.standard_normal(FEATURES)),
        vectorized.add_bias, loops.add_bias, bytes_moved=lambda n: 2 * F8 * n * FEATURES,
        operations=lambda n: n * FEATURES, loop_numbers=lambda n: n * FEATURES, writes=True,
    ),
    _pass(
        "squared_error_pass", "half squared error and gradients, X (n x 64)", _logistic,
        HALF_SQUARED_ERROR,
    ),
    _pass(
        "logistic_pass", "logistic loss and gradients, X (n x 64)", _logistic, HALF_BINOMIAL,
        peers={"scikit-learn": sklearn_logistic_pass, "PyTorch": torch_logistic_pass},
    ),
    _pass(
        "softmax_pass", "softmax loss and gradients, X (n x 64), 10 classes", _softmax,
        HALF_MULTINOMIAL, CLASSES,
    ),
    *(_stored_pass(dtype, order) for dtype, order in STORED),
    Case(
        "gradient_descent_step", "one step of batch descent, logistic, X (n x 64)", ROWS,
        _logistic, vectorized.gradient_descent_step, loops.gradient_descent_step,
        bytes_moved=lambda n: F8 * n * (FEATURES + 1), operations=lambda n: 4 * n * FEATURES,
        loop_numbers=lambda n: 2 * n * FEATURES, fused=fused.gradient_descent_step,
        group="training",
    ),
    Case(
        "logistic_fit", "a whole logistic fit, tol=1e-9, coefficients within 1e-5, X (n x 64)",
        ROWS, _fit, None, None, bytes_moved=lambda n: 0, operations=lambda n: 0,
        loop_numbers=lambda n: 0, group="training", tolerance=1e-5,
        peers={
            "xpfit on NumPy": training.fit_on("numpy"),
            "xpfit on Numba": training.fit_on("numba"),
            "xpfit on JAX": training.fit_on("jax", jax_in_64_bits),
            "xpfit on CuPy": training.fit_on("cupy"),
            "scikit-learn": training.sklearn_fit,
        },
        peer_backends={
            "xpfit on NumPy": "numpy", "xpfit on Numba": "numba", "xpfit on JAX": "jax",
            "xpfit on CuPy": "cupy",
        },
    ),
    _ways(
        "view_or_copy", "sum of every second row of X (n x 64)", ROWS, _table,
        memory.VIEW_OR_COPY, bytes_moved=lambda n: F8 * n * FEATURES // 2,
    ),
    _ways(
        "in_place_or_fresh", "2 x + 3", ELEMENTS, _vector, memory.IN_PLACE_OR_FRESH,
        bytes_moved=lambda n: 2 * F8 * n, writes=True,
    ),
    _ways(
        "column_sums", "sums of the columns of X (n x 64)", ROWS, _table, memory.COLUMN_SUMS,
        bytes_moved=lambda n: F8 * n * FEATURES,
    ),
    _ways(
        "row_sums", "sums of the rows of X (n x 64)", ROWS, _table, memory.ROW_SUMS,
        bytes_moved=lambda n: F8 * n * FEATURES,
    ),
    _ways(
        "broadcasting", "squared distances of X (n x 8): what is formed on the way",
        (30, 300, 1_500), lambda n, rng: (rng.standard_normal((n, 8)),), memory.PAIRWISE,
        bytes_moved=lambda n: F8 * n * n, tolerance=1e-9,
    ),
)  # fmt: skip
CASES: dict[str, Case] = {case.name: case for case in _ALL}
