"""Numba: NumPy's arrays, with passes compiled to read each row once.

The kernels stand in `numba_kernels/`; this file says which arguments they accept and lays them
out: `numba_kernels` sees contiguous arrays of known types only.
"""

from __future__ import annotations

import importlib
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from .errors import NotUsable
from .numpy_backend import make as make_numpy
from .record import Array, Backend, FusedKernel

# Numbers of X in one chunk of rows. A chunk is what a thread takes at a time, and the unit in
# which sums are added: fixed, so that results do not depend on the number of threads.
CHUNK_NUMBERS = 1 << 19
# Rows of a chunk are a multiple of this, so that all blocks but the last are full.
CHUNK_MULTIPLE = 1024
# A pass over fewer numbers than this is over before a second thread has woken up (20 us).
NUMBERS_PER_THREAD = 1 << 16

# The Gram matrices of all chunks are held at once; beyond this many columns BLAS is faster anyway.
GRAM_CHUNKS = 16
GRAM_COLUMNS = 100

_X_KINDS = "fiub"


def devices() -> tuple[str, ...]:
    """Devices that this backend can use here."""
    from .numba_kernels.threads import n_threads

    return (f"cpu ({n_threads()} threads)",)


def _plain(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same memory as an array that Numba does not type as read-only: one kernel serves both.

    The kernels never write to their inputs.
    """
    if array.flags.writeable:
        return array

    class Holder:
        __array_interface__ = {  # noqa: RUF012 - the protocol's name and form
            **array.__array_interface__,
            "data": (array.__array_interface__["data"][0], False),
        }
        owner = array

    return np.asarray(Holder())


def _is_csr(X: Any) -> bool:
    return getattr(X, "format", None) == "csr"


def _layout(X: Any) -> str:
    if _is_csr(X):
        return "csr"
    return "c" if X.flags.c_contiguous else "f"


def _kind(X: Any, layout: str) -> str:
    """The types that a kernel for X is compiled for, in words."""
    if layout == "csr":
        return f"{X.dtype}, csr of {X.indices.dtype} and {X.indptr.dtype}"
    return f"{X.dtype}, {layout}"


def _rows(X: Any, layout: str) -> Any:
    """X as the products of its layout take it."""
    if layout == "csr":
        return _plain(X.data), _plain(X.indices), _plain(X.indptr)
    rows = _plain(X if layout == "c" else X.T)
    if rows.dtype == np.float16:
        from .numba_kernels.scalar import HALF

        rows = rows.view(HALF)
    return rows


def _vector(array: Array | None) -> np.ndarray[Any, Any]:
    """y or weights as a contiguous float64 vector; no weights are an empty one."""
    if array is None:
        return np.empty(0)
    return _plain(np.ascontiguousarray(array, dtype=np.float64))


def _chunk_rows(n_samples: int, n_features: int) -> int:
    rows = max(1, CHUNK_NUMBERS // max(1, n_features))
    return -(-rows // CHUNK_MULTIPLE) * CHUNK_MULTIPLE


def _readable(X: Any) -> bool:
    """Whether the products can read X where it lies."""
    if _is_csr(X):
        dtypes = (X.data.dtype, X.indices.dtype, X.indptr.dtype)
        if X.data.dtype == np.float16:
            return False
        return X.data.dtype.kind in _X_KINDS and all(t.isnative and t.itemsize <= 8 for t in dtypes)
    return (
        isinstance(X, np.ndarray)
        and X.ndim == 2
        and X.shape[1] > 0
        and (X.flags.c_contiguous or X.flags.f_contiguous)
        and X.flags.aligned
        and X.dtype.kind in _X_KINDS
        and X.dtype.isnative
        and X.dtype.itemsize <= 8
    )


def _accepts(
    X: Any, y: Any, sample_weight: Any, W: Any, b: Any, loss: Any, *direction: Any
) -> bool:
    if W.dtype != np.float64 or X.shape[0] == 0 or y.ndim != 1 or not _readable(X):
        return False
    return bool(loss.name == "half_multinomial" if loss.is_multiclass else W.shape[1] == 1)


def _accepts_prediction(X: Any, W: Any, b: Any) -> bool:
    return W.dtype == np.float64 and W.shape[1] == 1 and X.shape[0] > 0 and _readable(X)


def _run(
    kernel: Any,
    what: str,
    X: Any,
    n_sums: int,
    *arguments: Any,
    numbers_per_row: int = 1,
    most_chunks: int | None = None,
) -> np.ndarray[Any, Any]:
    """Run a pass on threads and add up the sums of its chunks, in their order."""
    from .numba_kernels.compile import prepare
    from .numba_kernels.threads import run_on_threads

    n_samples, n_features = X.shape
    chunk_rows = _chunk_rows(n_samples, n_features * numbers_per_row)
    if most_chunks is not None:
        chunk_rows = max(chunk_rows, -(-n_samples // most_chunks))
    sums = np.empty((-(-n_samples // chunk_rows), n_sums))
    counter = np.zeros(1, dtype=np.int64)
    call = (*arguments, chunk_rows, counter, sums)
    prepare(kernel, what, *call)
    numbers = X.nnz if _is_csr(X) else n_samples * n_features
    numbers *= numbers_per_row
    run_on_threads(lambda: kernel(*call), min(sums.shape[0], numbers // NUMBERS_PER_THREAD + 1))
    total: np.ndarray[Any, Any] = sums.sum(axis=0)
    return total


def _pointwise_module(loss: Any, layout: str) -> Any:
    from .numba_kernels.compile import pointwise_passes

    return pointwise_passes(loss.name, (loss.value, loss.gradient, loss.curvature), layout)


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
    layout = _layout(X)
    rows, weight = _rows(X, layout), _vector(sample_weight)
    n_sums = W.size + W.shape[1] + 1
    what = f"loss_gradient[{loss.name}, {_kind(X, layout)}]"
    arguments: tuple[Any, ...]
    if loss.is_multiclass:
        labels = np.ascontiguousarray(y, dtype=np.int64)
        kernel = _multinomial_module(layout).loss_gradient
        arguments = (rows, _plain(labels), weight, _class_major(W), _vector(b))
    else:
        kernel = _pointwise_module(loss, layout).loss_gradient
        parameters = tuple(float(p) for p in loss.parameters)
        arguments = (rows, _vector(y), weight, _vector(W[:, 0]), float(b[0]), parameters)
    return _split(_run(kernel, what, X, n_sums, *arguments), W)


def _class_major(W: Array) -> np.ndarray[Any, Any]:
    return _plain(np.ascontiguousarray(W.T))


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
    layout = _layout(X)
    rows, weight = _rows(X, layout), _vector(sample_weight)
    n_sums = W.size + W.shape[1] + 1
    what = f"curvature_product[{loss.name}, {_kind(X, layout)}]"
    arguments: tuple[Any, ...]
    if loss.is_multiclass:
        kernel = _multinomial_module(layout).curvature_product
        arguments = (
            rows, _plain(np.ascontiguousarray(y, dtype=np.int64)), weight,
            _class_major(W), _vector(b), _class_major(direction_W), _vector(direction_b),
        )  # fmt: skip
    else:
        kernel = _pointwise_module(loss, layout).curvature_product
        arguments = (
            rows, _vector(y), weight, _vector(W[:, 0]), float(b[0]), _vector(direction_W[:, 0]),
            float(direction_b[0]), tuple(float(p) for p in loss.parameters),
        )  # fmt: skip
    _, product_W, product_b = _split(_run(kernel, what, X, n_sums, *arguments), W)
    return product_W, product_b


def weighted_gram(
    X: Any, y: Array, sample_weight: Array | None, W: Array, b: Array, loss: Any
) -> tuple[tuple[Any, Array, Array], Array]:
    """Fused `core.passes.weighted_gram`, pointwise losses."""
    layout, d = _layout(X), X.shape[1]
    kernel = _pointwise_module(loss, layout).weighted_gram
    what = f"weighted_gram[{loss.name}, {_kind(X, layout)}]"
    sums = _run(
        kernel, what, X, d * d + 2 * d + 3, _rows(X, layout), _vector(y), _vector(sample_weight),
        _vector(W[:, 0]), float(b[0]), tuple(float(p) for p in loss.parameters),
        numbers_per_row=max(1, d // 8), most_chunks=GRAM_CHUNKS,
    )  # fmt: skip
    upper = np.triu(sums[: d * d].reshape(d, d))
    gram = np.empty((d + 1, d + 1))
    gram[:d, :d] = upper + np.triu(upper, 1).T
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

    layout = _layout(X)
    kernel = plain_passes("column_passes", layout).column_sums
    weight = _vector(sample_weight)
    what = f"column_sums[{_kind(X, layout)}]"
    n, d = X.shape
    sums = _run(kernel, what, X, 2 * d, _rows(X, layout), weight, _vector(origin), n)
    return sums[:d], sums[d:], float(n) if sample_weight is None else float(weight.sum())


def _accepts_columns(X: Any, sample_weight: Any, origin: Any) -> bool:
    return origin.dtype == np.float64 and X.shape[0] > 0 and _readable(X)


def predict_raw(X: Any, W: Array, b: Array) -> Array:
    """Fused `core.passes.predict_raw`, one output."""
    from .numba_kernels.compile import plain_passes, prepare
    from .numba_kernels.threads import run_on_threads

    layout = _layout(X)
    kernel = plain_passes("predict", layout).predict_raw
    out = np.empty(X.shape[0])
    chunk_rows = _chunk_rows(*X.shape)
    n_chunks = -(-X.shape[0] // chunk_rows)
    counter = np.zeros(1, dtype=np.int64)
    call = (_rows(X, layout), _vector(W[:, 0]), float(b[0]), chunk_rows, counter, n_chunks, out)
    prepare(kernel, f"predict_raw[{_kind(X, layout)}]", *call)
    numbers = X.nnz if layout == "csr" else X.shape[0] * X.shape[1]
    run_on_threads(lambda: kernel(*call), min(n_chunks, numbers // NUMBERS_PER_THREAD + 1))
    return out[:, None]


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
        kernels=MappingProxyType(
            {
                "loss_gradient": FusedKernel(loss_gradient, _accepts),
                "curvature_product": FusedKernel(curvature_product, _accepts),
                "weighted_gram": FusedKernel(weighted_gram, _accepts_gram),
                "column_sums": FusedKernel(column_sums, _accepts_columns),
                "predict_raw": FusedKernel(predict_raw, _accepts_prediction),
            }
        ),
    )
