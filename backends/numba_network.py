"""Host side of the Numba network: one call is one shuffled epoch, whatever the architecture."""

from __future__ import annotations

import functools
from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy as np

from .blas_threads import single_blas_thread
from .numba_epoch import is_plain_function
from .numba_layout import as_readable, as_vector, as_writeable, is_readable, kind_of, layout_of
from .record import Array

Table = np.ndarray[Any, Any]
# BLAS itself takes one thread for products of fewer multiplications than the first, and below the
# second a second thread costs more than it brings: it spins while nothing is left for it to do.
BLAS_THREADS_FROM, THREADS_PAY_FROM = 1 << 18, 10_000_000


class _Description(NamedTuple):
    """What a compiled epoch reads of a network; `numba_kernels/network_codes.py`."""

    table: Table  # int64, an operation a row
    numbers: Table  # float64, the same rows
    output: int
    penalized: Table  # int64, shape=(n, 2): where penalized parameters start and stop
    work: int  # numbers of the workspace
    widest: int  # of the columns before, between and after all layers
    largest: int  # of n_inputs * n_outputs


def accepts_network(
    X: Any, y: Any, sample_weight: Any, order: Any, start: Any, plan: Any, keys: Any, network: Any
) -> bool:
    """Whether `network_epoch` can read X, knows every layer by its name, and can compile the
    optimizer's rule."""
    from .numba_kernels.network_codes import OPERATIONS, OUTPUTS

    return bool(
        network.is_built_in
        and is_plain_function(plan.rule)
        and network.output.name in OUTPUTS
        and all(layer.name in OPERATIONS or layer.name == "identity" for layer in network.layers)
        and start.theta.dtype in (np.float32, np.float64)
        and getattr(X, "format", None) is None
        and is_readable(X)
    )


def _operations(network: Any) -> list[tuple[int, int, float]]:
    """(layer, activation, slope): layers that do something, with the activation merged in."""
    from .numba_kernels import network_codes as codes

    found: list[tuple[int, int, float]] = []
    hosts = ("affine", "batch_norm", "layer_norm")
    before = ""
    for i, layer in enumerate(network.layers):
        name, numbers = layer.name, layer.numbers
        if name == "identity" or (name == "dropout" and numbers[0] == 0.0):
            continue
        activation = codes.ACTIVATIONS.get(name, codes.NONE)
        slope = numbers[0] if name == "leaky_relu" else 0.0
        # With a slope below 0 the output does not tell the sign of x.
        from_output = name in ("sigmoid", "tanh", "relu") or (name == "leaky_relu" and slope >= 0)
        if from_output and before in hosts:
            found[-1] = found[-1][0], activation, slope
        else:
            found.append((i, activation, slope))
        before = name
    return found


def _starts(network: Any, layer: int, *, trained: bool) -> int:
    own = (p.start for p in network.places if p.layer == layer and p.trained is trained)
    return next(own, -1)


@functools.lru_cache(maxsize=64)
def _describe(network: Any, batch_size: int) -> _Description:
    from .numba_kernels import network_codes as codes

    operations, widths = _operations(network), network.widths
    table = np.zeros((len(operations), codes.N_COLUMNS), dtype=np.int64)
    numbers = np.zeros((len(operations), codes.N_NUMBERS))
    before, free, widest, largest = 0, batch_size * widths[0], max(widths), 0
    for row, own, (i, activation, slope) in zip(table, numbers, operations, strict=True):
        layer, n, k = network.layers[i], widths[i], widths[i + 1]
        kind = codes.OPERATIONS[layer.name]
        own[: len(layer.numbers)], own[codes.SLOPE] = layer.numbers, slope
        row[codes.KIND], row[codes.ACTIVATION], row[codes.LAYER] = kind, activation, i
        row[codes.N_IN], row[codes.N_OUT] = n, k
        row[codes.PARAMETERS] = _starts(network, i, trained=True)
        row[codes.STATISTICS] = _starts(network, i, trained=False)
        row[codes.INPUT], row[codes.OUTPUT] = before, free
        before, free = free, free + batch_size * k
        if kind in (codes.BATCH_NORM, codes.LAYER_NORM):
            row[codes.KEPT] = free
            free += batch_size * n + max(3 * n, batch_size)
        if kind == codes.AFFINE:
            largest = max(largest, n * k)
    penalized = [(p.start, p.stop) for p in network.places if p.penalized and p.trained]
    return _Description(
        table, numbers, codes.OUTPUTS[network.output.name],
        np.asarray(penalized, dtype=np.int64).reshape(-1, 2), free, widest, largest,
    )  # fmt: skip


def _targets(y: Array, description: _Description, dtype: Any) -> tuple[Table, Table]:
    from .numba_kernels.network_codes import SOFTMAX_CROSS_ENTROPY

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
    description = _describe(network, batch_size)
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
