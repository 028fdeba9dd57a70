"""Numba: NumPy's arrays, with passes compiled to read each row once.

The kernels stand in `numba_kernels/`; this file says which arguments they accept and lays them
out: `numba_kernels` sees contiguous arrays of known types only.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from .blas_threads import single_blas_thread
from .errors import NotUsable
from .numba_columns import ColumnModel, accepts_column_newton, accepts_columns, column_newton
from .numba_epoch import accepts_epoch, minibatch_epoch
from .numba_graph import accepts_program, graph_program
from .numba_layout import (
    as_vector,
    as_writeable,
    is_readable,
    kind_of,
    layout_of,
    rows_for,
    rows_of_a_chunk,
    run_pass,
    threads_for,
)
from .numba_many import accepts_many, losses_gradients
from .numba_network import accepts_network, network_epoch
from .numpy_backend import cholesky as cholesky_of_numpy
from .numpy_backend import make as make_numpy
from .record import Array, Backend, FusedKernel

# The Gram matrices of all chunks are held at once, so wide X has fewer: 2 at 1,000 columns. That
# keeps two cores busy; more cores than chunks are left idle (not measured).
GRAM_CHUNKS = 16
GRAM_BYTES = 1 << 24
GRAM_COLUMNS = 1000
# Larger matrices gain more from BLAS's threads than the next pass loses.
MOST_SINGLE_ORDER = 2000
# Smaller matrices are factored by one thread anyway.
LEAST_THREADED_ORDER = 64
# Rows of chunks of the Gram pass: a thousand rows keep two threads busy.
GRAM_MULTIPLE = 256


def devices() -> tuple[str, ...]:
    """Devices that this backend can use here."""
    from .numba_kernels.threads import n_threads

    return (f"cpu ({n_threads()} threads)",)


def _accepts(
    X: Any, y: Any, sample_weight: Any, W: Any, b: Any, loss: Any, *direction: Any
) -> bool:
    if W.dtype != np.float64 or X.shape[0] == 0 or y.ndim != 1 or not is_readable(X):
        return False
    return bool(loss.fused_as == "half_multinomial" if loss.is_multiclass else W.shape[1] == 1)


def _accepts_prediction(X: Any, W: Any, b: Any) -> bool:
    return W.dtype == np.float64 and W.shape[1] == 1 and X.shape[0] > 0 and is_readable(X)


def _pointwise_module(loss: Any, layout: str) -> Any:
    from .numba_kernels.compile import pointwise_passes

    formulas = (loss.value, loss.gradient, loss.curvature)
    return pointwise_passes(loss.name, formulas, layout, loss.captured_numbers())


def _multinomial_module(layout: str) -> Any:
    from .numba_kernels.compile import plain_passes

    return plain_passes("multinomial_passes", layout)


def _split(
    sums: np.ndarray[Any, Any], W: np.ndarray[Any, Any]
) -> tuple[Any, np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    n_features, n_outputs = W.shape
    size = n_features * n_outputs
    grad_W = np.ascontiguousarray(sums[:size].reshape(n_outputs, n_features).T)
    return sums[size + n_outputs], grad_W, sums[size : size + n_outputs].copy()


def loss_gradient(
    X: Any, y: Array, sample_weight: Array | None, W: Array, b: Array, loss: Any
) -> tuple[Any, Array, Array]:
    """Fused `core.passes.loss_gradient`."""
    layout = layout_of(X)
    rows, weight = rows_for(X, layout), as_vector(sample_weight)
    n_sums = W.size + W.shape[1] + 1
    what = f"loss_gradient[{loss.name}, {kind_of(X, layout)}]"
    arguments: tuple[Any, ...]
    if loss.is_multiclass:
        labels = np.ascontiguousarray(y, dtype=np.int64)
        kernel = _multinomial_module(layout).loss_gradient
        arguments = (rows, as_writeable(labels), weight, _class_major(W), as_vector(b))
    else:
        kernel = _pointwise_module(loss, layout).loss_gradient
        parameters = _parameters(loss)
        arguments = (rows, as_vector(y), weight, as_vector(W[:, 0]), float(b[0]), parameters)
    return _split(run_pass(kernel, what, X, n_sums, *arguments), W)


def _parameters(loss: Any) -> tuple[float, ...]:
    return tuple(float(parameter) for parameter in loss.parameters)


def _class_major(W: Array) -> np.ndarray[Any, Any]:
    return as_writeable(np.ascontiguousarray(W.T))


def curvature_product(
    X: Any,
    y: Array,
    sample_weight: Array | None,
    W: Array,
    b: Array,
    loss: Any,
    direction_W: Array,
    direction_b: Array,
) -> tuple[Array, Array]:
    """Fused `core.passes.curvature_product`."""
    layout = layout_of(X)
    rows, weight = rows_for(X, layout), as_vector(sample_weight)
    n_sums = W.size + W.shape[1] + 1
    what = f"curvature_product[{loss.name}, {kind_of(X, layout)}]"
    arguments: tuple[Any, ...]
    if loss.is_multiclass:
        kernel = _multinomial_module(layout).curvature_product
        arguments = (
            rows, as_writeable(np.ascontiguousarray(y, dtype=np.int64)), weight,
            _class_major(W), as_vector(b), _class_major(direction_W), as_vector(direction_b),
        )  # fmt: skip
    else:
        kernel = _pointwise_module(loss, layout).curvature_product
        arguments = (
            rows, as_vector(y), weight, as_vector(W[:, 0]), float(b[0]),
            as_vector(direction_W[:, 0]), float(direction_b[0]), _parameters(loss),
        )  # fmt: skip
    _, product_W, product_b = _split(run_pass(kernel, what, X, n_sums, *arguments), W)
    return product_W, product_b


def weighted_gram(
    X: Any, y: Array, sample_weight: Array | None, W: Array, b: Array, loss: Any
) -> tuple[tuple[Any, Array, Array], Array]:
    """Fused `core.passes.weighted_gram`, pointwise losses."""
    layout, d = layout_of(X), X.shape[1]
    most_chunks = max(2, min(GRAM_CHUNKS, GRAM_BYTES // (8 * d * d)))
    kernel = _pointwise_module(loss, layout).weighted_gram
    what = f"weighted_gram[{loss.name}, {kind_of(X, layout)}]"
    sums = run_pass(
        kernel, what, X, d * d + 2 * d + 3, rows_for(X, layout), as_vector(y),
        as_vector(sample_weight), as_vector(W[:, 0]), float(b[0]), _parameters(loss),
        numbers_per_row=max(1, d // 2), most_chunks=most_chunks, chunk_multiple=GRAM_MULTIPLE,
    )  # fmt: skip
    gram = np.empty((d + 1, d + 1))
    gram[:d, :d] = sums[: d * d].reshape(d, d)
    gram[:d, d] = gram[d, :d] = sums[d * d : d * d + d]
    corner, grad_b, value = sums[d * d + 2 * d :]
    gram[d, d] = corner
    grad_W = sums[d * d + d : d * d + 2 * d].copy()[:, None]
    return (value, grad_W, np.asarray([grad_b])), gram


def _accepts_gram(X: Any, y: Any, sample_weight: Any, W: Any, b: Any, loss: Any) -> bool:
    return (
        not loss.is_multiclass
        and X.shape[1] <= GRAM_COLUMNS
        and _accepts(X, y, sample_weight, W, b, loss)
    )


def column_sums(X: Any, sample_weight: Array | None, origin: Array) -> tuple[Array, Array, float]:
    """Fused `core.columns.generic_column_sums`."""
    from .numba_kernels.compile import plain_passes

    layout = layout_of(X)
    kernel = plain_passes("column_passes", layout).column_sums
    weight = as_vector(sample_weight)
    what = f"column_sums[{kind_of(X, layout)}]"
    n, d = X.shape
    sums = run_pass(kernel, what, X, 2 * d, rows_for(X, layout), weight, as_vector(origin), n)
    return sums[:d], sums[d:], float(n) if sample_weight is None else float(weight.sum())


def _accepts_columns(X: Any, sample_weight: Any, origin: Any) -> bool:
    return origin.dtype == np.float64 and X.shape[0] > 0 and is_readable(X)


def predict_raw(X: Any, W: Array, b: Array) -> Array:
    """Fused `core.passes.predict_raw`, one output."""
    from .numba_kernels.compile import plain_passes, prepare
    from .numba_kernels.threads import run_on_threads

    layout = layout_of(X)
    kernel = plain_passes("predict", layout).predict_raw
    out = np.empty(X.shape[0])
    chunk_rows = rows_of_a_chunk(*X.shape)
    n_chunks = -(-X.shape[0] // chunk_rows)
    counter = np.zeros(1, dtype=np.int64)
    call = (
        rows_for(X, layout),
        as_vector(W[:, 0]),
        float(b[0]),
        chunk_rows,
        counter,
        n_chunks,
        out,
    )
    prepare(kernel, f"predict_raw[{kind_of(X, layout)}]", *call)
    run_on_threads(lambda: kernel(*call), min(n_chunks, threads_for(X)))
    return out[:, None]


def coordinate_descent(
    hessian: Array, gradient: Array, w: Array, l1: float, tol: float, max_sweeps: int
) -> tuple[Array, Array]:
    """Fused `core.solvers.quadratic.generic_coordinate_descent`."""
    from .numba_kernels.compile import plain_passes, prepare

    kernel = plain_passes("coordinate_descent", "c").coordinate_descent
    gradient, w = np.array(gradient), np.array(w)
    matrix = as_writeable(np.ascontiguousarray(hessian))
    call = (matrix, gradient, w, float(l1), float(tol), max_sweeps)
    prepare(kernel, "coordinate_descent", *call)
    kernel(*call)
    return w, gradient


def _accepts_descent(
    hessian: Any, gradient: Any, w: Any, l1: float, tol: float, max_sweeps: int
) -> bool:
    return bool(hessian.dtype == gradient.dtype == w.dtype == np.float64)


def cholesky(matrix: Array) -> tuple[Callable[[Array], Array], float] | None:
    """NumPy's, on one thread of BLAS where the matrix is small.

    OpenBLAS's threads keep spinning after their work, and take their cores from the pass that
    follows: a logistic fit of 100,000 x 300 took 1.35 times as long with them (two cores).
    """
    if not LEAST_THREADED_ORDER <= matrix.shape[0] <= MOST_SINGLE_ORDER:
        return cholesky_of_numpy(matrix)
    with single_blas_thread():
        factored = cholesky_of_numpy(matrix)
    if factored is None:
        return None
    solve, smallest_pivot = factored

    def solve_on_one_thread(r: Array) -> Array:
        with single_blas_thread():
            return solve(r)

    return solve_on_one_thread, smallest_pivot


def make() -> Backend:
    """The record of this backend: NumPy's, with fused kernels."""
    try:
        numba = importlib.import_module("numba")
    except ImportError as problem:
        why = f"could not be imported: {problem}"
        raise NotUsable(why, "Install it with: pip install numba.") from problem
    return replace(
        make_numpy(),
        name="numba",
        version=numba.__version__,
        cholesky=cholesky,
        kernels=MappingProxyType(
            {
                "loss_gradient": FusedKernel(loss_gradient, _accepts),
                "curvature_product": FusedKernel(curvature_product, _accepts),
                "weighted_gram": FusedKernel(weighted_gram, _accepts_gram),
                "column_sums": FusedKernel(column_sums, _accepts_columns),
                "coordinate_descent": FusedKernel(coordinate_descent, _accepts_descent),
                "column_newton": FusedKernel(column_newton, accepts_column_newton),
                "column_model": FusedKernel(ColumnModel, accepts_columns),
                "predict_raw": FusedKernel(predict_raw, _accepts_prediction),
                "minibatch_epoch": FusedKernel(minibatch_epoch, accepts_epoch),
                "network_epoch": FusedKernel(network_epoch, accepts_network),
                "graph_program": FusedKernel(graph_program, accepts_program),
                "losses_gradients": FusedKernel(losses_gradients, accepts_many),
            }
        ),
    )
