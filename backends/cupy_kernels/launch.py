"""Host side of the fused CUDA passes: which arguments they take, compiling, launching.

Each function has the signature and the return value of the generic pass of its name. A pass is two
launches: one that leaves the sums of each slot of rows in a workspace, one that adds up the slots.
Nothing is copied to the host, and nothing waits for the device.
"""

from __future__ import annotations

import functools
from importlib import import_module
from types import MappingProxyType
from typing import Any

import numpy as np

from ..cupy_backend import compute_dtype
from ..record import Array, FusedKernel
from . import source
from .formula import can_translate
from .geometry import (
    THREADS,
    WARP,
    RowGeometry,
    TileGeometry,
    row_geometry,
    slots_of,
    tile_geometry,
)
from .prelude import STORED, itemsize_of

OPTIONS = ("--std=c++17",)
# Larger alignments are of no use to a load of 16 bytes.
MOST_ALIGNED = 256

# What a launch hands to a kernel, in its order.
Arguments = tuple[Any, ...]


def cupy_module() -> Any:
    return import_module("cupy")


@functools.lru_cache(maxsize=256)
def _readable(formula: Any) -> bool:
    return can_translate(formula)


@functools.cache
def _shared_bytes_of(device: int) -> int:
    attributes = cupy_module().cuda.Device(device).attributes
    return int(attributes["MaxSharedMemoryPerBlockOptin"])


def _alignment(X: Array) -> int:
    address = int(X.data.ptr)
    return min(MOST_ALIGNED, address & -address) if address else MOST_ALIGNED


def _is_table(X: Any) -> bool:
    """Whether X is a table in one piece, of a known dtype, with rows."""
    if not hasattr(X, "flags") or str(X.dtype) not in STORED or 0 in X.shape:
        return False
    return bool(X.flags.c_contiguous or X.flags.f_contiguous)


def _is_plain(X: Any, W: Any) -> bool:
    """Whether X is such a table, and W of its precision."""
    return _is_table(X) and bool(W.dtype == compute_dtype(X.dtype))


def _sizes(X: Array, W: Array) -> tuple[int, int]:
    return itemsize_of(str(X.dtype)), int(W.dtype.itemsize)


def _row_geometry(X: Array, W: Array) -> RowGeometry | None:
    n, d = X.shape
    return row_geometry(n, d, _sizes(X, W), bool(X.flags.c_contiguous), _alignment(X))


def _tile_geometry(X: Array, W: Array) -> TileGeometry | None:
    n, d = X.shape
    c_order = bool(X.flags.c_contiguous)
    return tile_geometry(n, d, W.shape[1], _sizes(X, W), c_order, _alignment(X))


def _rows_fit(X: Array, W: Array, n_vectors: int) -> bool:
    geometry = _row_geometry(X, W)
    if geometry is None:
        return False
    needed = geometry.shared_bytes(n_vectors, int(W.dtype.itemsize))
    return needed <= _shared_bytes_of(X.device.id)


def _tile_fits(X: Array, W: Array) -> bool:
    tile = _tile_geometry(X, W)
    if tile is None:
        return False
    d, n_outputs = W.shape
    needed = tile.shared_bytes(d, n_outputs, _sizes(X, W))
    return needed <= _shared_bytes_of(X.device.id)


def accepts_loss_gradient(
    X: Any, y: Any, sample_weight: Any, W: Any, b: Any, loss: Any, *direction: Any
) -> bool:
    """Whether `loss_gradient` takes these arguments."""
    if not _is_plain(X, W) or y.ndim != 1:
        return False
    if loss.is_multiclass:
        return bool(loss.fused_as == "half_multinomial") and _tile_fits(X, W)
    return W.shape[1] == 1 and _is_readable(loss) and _rows_fit(X, W, 1)


def _is_readable(loss: Any) -> bool:
    return all(_readable(formula) for formula in (loss.value, loss.gradient, loss.curvature))


def accepts_curvature_product(
    X: Any, y: Any, sample_weight: Any, W: Any, b: Any, loss: Any, *direction: Any
) -> bool:
    """Whether `curvature_product` takes these arguments: pointwise losses only."""
    if loss.is_multiclass or not _is_plain(X, W) or y.ndim != 1:
        return False
    return W.shape[1] == 1 and _is_readable(loss) and _rows_fit(X, W, 2)


def accepts_predict_raw(X: Any, W: Any, b: Any) -> bool:
    """Whether `predict_raw` takes these arguments: one output."""
    return _is_plain(X, W) and W.shape[1] == 1 and _rows_fit(X, W, 1)


# Keyed by all that the text depends on; writing the text anew would take longer than a small pass.
@functools.lru_cache(maxsize=256)
def _compiled(make: Any, name: str, device: int, *parts: Any) -> tuple[Any, Any]:
    """The kernel `name` and `add_slots` of the text that `make(*parts)` writes, on one device."""
    module = cupy_module().RawModule(code=make(*parts), options=OPTIONS)
    kernel = module.get_function(name)
    # The most that the device has, not what one launch needs: CuPy shares a kernel among modules
    # of the same text, and passes of several shapes may have one.
    kernel.max_dynamic_shared_size_bytes = _shared_bytes_of(device)
    return kernel, module.get_function("add_slots")


def _summed(
    kernels: tuple[Any, Any],
    arguments: Arguments,
    X: Array,
    dtype: Any,
    tile_rows: int,
    n_sums: int,
    shared_bytes: int,
) -> Array:
    """Run a pass over all slots, then add them up: n_sums numbers."""
    cupy, (kernel, add_slots) = cupy_module(), kernels
    slot_rows, n_slots = slots_of(X.shape[0], tile_rows, n_sums)
    slots = cupy.empty((n_slots, n_sums), dtype=np.float64)
    sums = cupy.empty(n_sums, dtype=dtype)
    shape = np.int64(X.shape[0]), np.int32(X.shape[1]), np.int64(slot_rows), np.int32(n_slots)
    # One block a slot: the device hands a block to whichever multiprocessor is free.
    kernel((n_slots,), (THREADS,), (*arguments, *shape, slots), shared_mem=shared_bytes)
    columns = -(-n_sums // WARP)
    add_slots((columns,), (THREADS,), (slots, np.int32(n_slots), np.int32(n_sums), sums))
    return sums


def _vector(array: Array, dtype: Any) -> Array:
    return cupy_module().ascontiguousarray(array, dtype=dtype)


def _weight(sample_weight: Array | None, y: Array, dtype: Any) -> tuple[Array, np.int32]:
    # Without weights any array stands in for them: the kernel does not read it.
    if sample_weight is None:
        return y, np.int32(0)
    return _vector(sample_weight, dtype), np.int32(1)


def _row_pass(
    make: Any,
    X: Array,
    y: Array,
    sample_weight: Array | None,
    model: tuple[Array, ...],
    loss: Any,
    n_vectors: int,
) -> Array:
    geometry = _row_geometry(X, model[0])
    assert geometry is not None, "accepts was asked first"
    dtype, d = model[0].dtype, X.shape[1]
    names = str(X.dtype), str(dtype)
    shared_bytes = geometry.shared_bytes(n_vectors, int(dtype.itemsize))
    parts = source.formulas_of(loss), *names, geometry
    with X.device:
        kernels = _compiled(make, "row_pass", X.device.id, *parts)
        y = _vector(y, dtype)
        weight, weighted = _weight(sample_weight, y, dtype)
        w, b, v, c = (_vector(array.reshape(-1), dtype) for array in model)
        parameters = (dtype.type(parameter) for parameter in loss.parameters)
        arguments = (X, y, weight, weighted, w, b, v, c, *parameters)
        return _summed(kernels, arguments, X, dtype, geometry.tile_rows, d + 2, shared_bytes)


def loss_gradient(
    X: Array, y: Array, sample_weight: Array | None, W: Array, b: Array, loss: Any
) -> tuple[Any, Array, Array]:
    """Fused `core.passes.loss_gradient`.

    Raises
    ------
    KernelCompileError
        Where a formula of the loss cannot be translated to CUDA C++.
    """
    if loss.is_multiclass:
        return _multinomial(X, y, sample_weight, W, b)
    model = W, b, W, b
    sums = _row_pass(source.loss_gradient_source, X, y, sample_weight, model, loss, 1)
    d = X.shape[1]
    return sums[d + 1], sums[:d, None], sums[d : d + 1]


def curvature_product(
    X: Array,
    y: Array,
    sample_weight: Array | None,
    W: Array,
    b: Array,
    loss: Any,
    direction_W: Array,
    direction_b: Array,
) -> tuple[Array, Array]:
    """Fused `core.passes.curvature_product`, pointwise losses.

    Raises
    ------
    KernelCompileError
        Where the curvature of the loss cannot be translated to CUDA C++.
    """
    model = W, b, direction_W, direction_b
    sums = _row_pass(source.curvature_product_source, X, y, sample_weight, model, loss, 2)
    d = X.shape[1]
    return sums[:d, None], sums[d : d + 1]


def _multinomial(
    X: Array, y: Array, sample_weight: Array | None, W: Array, b: Array
) -> tuple[Any, Array, Array]:
    tile = _tile_geometry(X, W)
    assert tile is not None, "accepts was asked first"
    cupy, dtype, (d, n_classes) = cupy_module(), W.dtype, W.shape
    stored, size = str(X.dtype), d * n_classes
    shared_bytes = tile.shared_bytes(d, n_classes, _sizes(X, W))
    parts = stored, str(dtype), tile
    with X.device:
        kernels = _compiled(source.multinomial_source, "multinomial_pass", X.device.id, *parts)
        labels = _vector(y, np.int64)
        weight, weighted = _weight(sample_weight, b, dtype)
        arguments = (
            X, labels, weight, weighted, _vector(W.T, dtype), _vector(b, dtype),
            np.int32(n_classes),
        )  # fmt: skip
        n_sums = size + n_classes + 1
        sums = _summed(kernels, arguments, X, dtype, tile.tile_rows, n_sums, shared_bytes)
        grad_W = cupy.ascontiguousarray(sums[:size].reshape(n_classes, d).T)
    return sums[size + n_classes], grad_W, sums[size : size + n_classes]


def predict_raw(X: Array, W: Array, b: Array) -> Array:
    """Fused `core.passes.predict_raw`, one output."""
    geometry = _row_geometry(X, W)
    assert geometry is not None, "accepts was asked first"
    (n, d), dtype = X.shape, W.dtype
    shared_bytes = geometry.shared_bytes(1, int(dtype.itemsize))
    parts = str(X.dtype), str(dtype), geometry
    slot_rows, n_slots = slots_of(n, geometry.tile_rows, 1)
    with X.device:
        kernel, _ = _compiled(source.predict_raw_source, "predict_raw", X.device.id, *parts)
        out = cupy_module().empty(n, dtype=dtype)
        arguments = (
            X, _vector(W.reshape(-1), dtype), _vector(b, dtype),
            np.int64(n), np.int32(d), np.int64(slot_rows), np.int32(n_slots), out,
        )  # fmt: skip
        kernel((n_slots,), (THREADS,), arguments, shared_mem=shared_bytes)
    return out[:, None]


KERNELS = MappingProxyType(
    {
        "loss_gradient": FusedKernel(loss_gradient, accepts_loss_gradient),
        "curvature_product": FusedKernel(curvature_product, accepts_curvature_product),
        "predict_raw": FusedKernel(predict_raw, accepts_predict_raw),
    }
)
