"""Host side of the Numba epochs: one call is one shuffled epoch of mini-batch descent."""

from __future__ import annotations

import math
from types import FunctionType
from typing import Any

import numpy as np

from .numba_layout import (
    as_readable,
    as_vector,
    as_writeable,
    is_csr,
    is_readable,
    kind_of,
    layout_of,
    rows_for,
)
from .record import Array

# Full updates are as fast as lazy ones with clipping where a batch has a number stored for so many
# columns: the norm visits each number twice, out of order, and columns go by as vectors.
COLUMNS_PER_NUMBER = 20


def _to_flat(matrix: Array, n_features: int) -> np.ndarray[Any, Any]:
    # One output after the other, then the intercepts: what the products read is contiguous.
    return np.concatenate([matrix[:n_features].T.ravel(), matrix[n_features:].ravel()])


def _from_flat(flat: np.ndarray[Any, Any], n_features: int, n_outputs: int) -> Array:
    n_weights = n_features * n_outputs
    W = flat[:n_weights].reshape(n_outputs, n_features).T
    return np.concatenate([W, flat[n_weights:].reshape(-1, n_outputs)])


def _module(start: Any, plan: Any, loss: Any, layout: str) -> tuple[str, Any]:
    from .numba_kernels.compile import epoch_module

    formulas = () if loss.is_multiclass else (loss.value, loss.gradient)
    name = f"epoch_{loss.name}_{plan.rule.__name__}"
    numbers = len(start.slots), plan.scalars.shape[1]
    return name, epoch_module(name, formulas, plan.rule, *numbers, layout, loss.captured_numbers())


def _targets(
    y: Array, sample_weight: Array | None, order: np.ndarray[Any, Any], loss: Any
) -> tuple[Any, Any, Any]:
    rows = np.ascontiguousarray(order, dtype=np.int64)
    y = np.ascontiguousarray(y, dtype=np.int64) if loss.is_multiclass else as_vector(y)
    return as_writeable(y), as_vector(sample_weight), as_writeable(rows)


def minibatch_epoch(
    X: Any,
    y: Array,
    sample_weight: Array | None,
    order: np.ndarray[Any, Any],
    start: Any,
    plan: Any,
    loss: Any,
) -> tuple[Any, Array]:
    """Fused `core.minibatch.generic_minibatch_epoch`."""
    if _is_lazy(X, plan):
        return _lazy_epoch(X, y, sample_weight, order, start, plan, loss)
    from .numba_kernels.compile import prepare

    n_features, n_outputs = X.shape[1], start.theta.shape[1]
    layout = "csr" if is_csr(X) else "dense"
    n_slots, n_scalars = len(start.slots), plan.scalars.shape[1]
    name, module = _module(start, plan, loss, layout)
    theta = _to_flat(start.theta, n_features)
    slots = np.empty((n_slots, theta.shape[0]))
    for own, slot in zip(slots, start.slots, strict=True):
        own[:] = _to_flat(slot, n_features)
    average = np.empty(0) if start.average is None else _to_flat(start.average, n_features)
    losses = np.full(plan.scalars.shape[0], np.nan)
    call = (
        rows_for(X, layout) if layout == "csr" else as_readable(X), n_features, n_outputs,
        *_targets(y, sample_weight, order, loss), plan.batch_size, theta,
        slots, average, plan.gains, plan.scalars, plan.ahead, plan.l2_reg_strength, plan.max_norm,
        np.ascontiguousarray(plan.thresholds),
        tuple(float(number) for number in loss.parameters), losses,
    )  # fmt: skip
    what = f"{name}[{n_slots} slots, {n_scalars} scalars, {kind_of(X, layout_of(X))}]"
    prepare(module.epoch, what, *call)
    module.epoch(*call)
    shape = n_features, n_outputs
    kept = None if start.average is None else _from_flat(average, *shape)
    found = type(start)(
        _from_flat(theta, *shape), tuple(_from_flat(slot, *shape) for slot in slots), kept
    )
    return found, losses


def is_plain_function(rule: Any) -> bool:
    """Whether Numba may compile a rule, and find it again: a partial or an object runs as it is."""
    return isinstance(rule, FunctionType)


def _is_lazy(X: Any, plan: Any) -> bool:
    """Whether steps may leave the columns alone in which their rows have nothing."""
    if not is_csr(X) or plan.plain_decay is None or plan.shrinks:
        return False
    if plan.max_norm == math.inf:
        return True  # nowhere slower than full updates: see `lazy_csr.py`
    n_samples, n_features = X.shape
    per_batch = int(X.nnz) * min(plan.batch_size, n_samples) / n_samples
    return bool(per_batch * COLUMNS_PER_NUMBER < n_features)


def _lazy_epoch(
    X: Any, y: Array, sample_weight: Array | None, order: np.ndarray[Any, Any], start: Any,
    plan: Any, loss: Any,
) -> tuple[Any, Array]:  # fmt: skip
    """Of plain descent on CSR: at the cost of the nonzeros, in place of that of all columns."""
    from .numba_kernels.compile import prepare

    name, module = _module(start, plan, loss, "csr")
    theta = np.array(start.theta, dtype=np.float64, order="C")
    average = np.empty((0, theta.shape[1]))
    if start.average is not None:
        average = np.array(start.average, dtype=np.float64, order="C")
    losses = np.full(plan.scalars.shape[0], np.nan)
    call = (
        rows_for(X, "csr"), X.shape[1], theta.shape[1], *_targets(y, sample_weight, order, loss),
        plan.batch_size, theta.ravel(), average.ravel(), plan.gains,
        np.ascontiguousarray(plan.scalars[:, 0]), plan.plain_decay, plan.l2_reg_strength,
        plan.max_norm, tuple(float(number) for number in loss.parameters), losses,
    )  # fmt: skip
    prepare(module.lazy_epoch, f"{name}[lazy, {kind_of(X, 'csr')}]", *call)
    module.lazy_epoch(*call)
    kept = None if start.average is None else average
    return type(start)(theta, start.slots, kept), losses


def accepts_epoch(
    X: Any, y: Any, sample_weight: Any, order: Any, start: Any, plan: Any, loss: Any
) -> bool:
    """Whether `minibatch_epoch` can read X, has the loss, and can compile the optimizer's rule."""
    known = not loss.is_multiclass or loss.fused_as == "half_multinomial"
    known = known and is_plain_function(plan.rule)
    return known and start.theta.dtype == np.float64 and is_readable(X)
