"""Host side of the Numba network: one call is one shuffled epoch, whatever the architecture."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np

from .blas_threads import single_blas_thread
from .network_table import Description, Table, describe, is_known
from .numba_epoch import is_plain_function
from .numba_kernels.network_codes import SOFTMAX_CROSS_ENTROPY
from .numba_layout import as_readable, as_vector, as_writeable, is_readable, kind_of, layout_of
from .record import Array

# BLAS itself takes one thread for products of fewer multiplications than the first, and below the
# second a second thread costs more than it brings: it spins while nothing is left for it to do.
BLAS_THREADS_FROM, THREADS_PAY_FROM = 1 << 18, 10_000_000


def accepts_network(
    X: Any, y: Any, sample_weight: Any, order: Any, start: Any, plan: Any, keys: Any, network: Any
) -> bool:
    """Whether `network_epoch` can read X, knows every layer by its name, and can compile the
    optimizer's rule."""
    return bool(
        is_known(network)
        and is_plain_function(plan.rule)
        and start.theta.dtype in (np.float32, np.float64)
        and getattr(X, "format", None) is None
        and is_readable(X)
    )


def _targets(y: Array, description: Description, dtype: Any) -> tuple[Table, Table]:
    if description.output == SOFTMAX_CROSS_ENTROPY:
        codes = as_writeable(np.ascontiguousarray(y, dtype=np.int64))
        return codes, np.empty(0, dtype=dtype)
    values = as_writeable(np.ascontiguousarray(y, dtype=dtype)).reshape(-1)
    return np.empty(0, dtype=np.int64), values


def network_epoch(
    X: Any,
    y: Array,
    sample_weight: Array | None,
    order: np.ndarray[Any, Any],
    start: Any,
    plan: Any,
    keys: np.ndarray[Any, Any] | None,
    network: Any,
) -> tuple[Any, Array]:
    """Fused `core.network.epoch.generic_network_epoch`."""
    from .numba_kernels.compile import epoch_module, prepare

    n_slots, n_scalars = len(start.slots), plan.scalars.shape[1]
    name = f"network_{plan.rule.__name__}"
    module = epoch_module(name, (), plan.rule, n_slots, n_scalars, "dense", (), "network_epoch")
    batch_size = min(plan.batch_size, order.shape[0])
    description = describe(network, batch_size)
    theta = np.array(start.theta)
    dtype = theta.dtype
    slots = np.empty((n_slots, theta.shape[0]), dtype=dtype)
    for own, slot in zip(slots, start.slots, strict=True):
        own[:] = slot
    slots[:, network.n_parameters :] = 0.0
    average = np.empty(0, dtype=dtype) if start.average is None else np.array(start.average)
    keys = np.empty(0) if keys is None else keys
    losses = np.full(plan.scalars.shape[0], np.nan)
    sizes = (
        network.n_parameters, description.work, batch_size * description.widest, network.n_outputs,
    )  # fmt: skip
    call = (
        as_readable(X), *_targets(y, description, dtype), as_vector(sample_weight),
        as_writeable(np.ascontiguousarray(order, dtype=np.int64)), batch_size, description.table,
        description.numbers, description.output, description.penalized, sizes, theta, slots,
        average, plan.gains, plan.scalars.astype(dtype), plan.ahead, plan.l2_reg_strength,
        plan.max_norm, np.array(plan.thresholds),
        np.array(keys, dtype=np.uint32), losses,
    )  # fmt: skip
    prepare(module.epoch, f"{name}[{dtype}, {kind_of(X, layout_of(X))}]", *call)
    products = batch_size * description.largest
    few = BLAS_THREADS_FROM < products < THREADS_PAY_FROM
    with single_blas_thread() if few else nullcontext():
        module.epoch(*call)
    kept = None if start.average is None else average
    return type(start)(theta, tuple(slots), kept), losses
