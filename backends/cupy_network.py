"""Host side of networks on CuPy: one launch of one block is one shuffled epoch.

The order of the rows, the numbers of all steps and the table of the network go to the device before
the launch; nothing is copied back, and nothing waits for the device. A larger network, and one with
a layer that the kernel does not know, goes step by step through CuPy's own functions.
"""

from __future__ import annotations

import functools
import math
from types import MappingProxyType
from typing import Any

import numpy as np

from .cupy_kernels import launch
from .cupy_kernels.epoch_launch import arrays_of, is_known_plan
from .cupy_kernels.epoch_source import PointwiseRule, rule_of
from .cupy_kernels.network_geometry import NetworkCut, NetworkSizes, network_cut, network_sizes
from .cupy_kernels.network_source import network_source
from .cupy_kernels.prelude import COMPUTED
from .network_table import Description, describe, is_known
from .numba_kernels.network_codes import SOFTMAX_CROSS_ENTROPY
from .record import Array, FusedKernel


def _described(order: Any, start: Any, plan: Any, network: Any) -> tuple[Description, NetworkSizes]:
    batch_size = min(plan.batch_size, order.shape[0])
    found = describe(network, batch_size)
    n_arrays = len(arrays_of(start))
    return found, network_sizes(found, batch_size, network.size, network.n_parameters, n_arrays)


def _cut(X: Array, sizes: NetworkSizes, dtype: Any) -> NetworkCut | None:
    shared_bytes = launch._shared_bytes_of(X.device.id)
    return network_cut(sizes, int(dtype.itemsize), shared_bytes, bool(X.flags.c_contiguous))


def accepts_network(
    X: Any, y: Any, sample_weight: Any, order: Any, start: Any, plan: Any, keys: Any, network: Any
) -> bool:
    """Whether `network_epoch` takes these arguments: dense X, layers that it knows, a plan of which
    all is known, and no more work than one block is given."""
    dtype = start.theta.dtype
    if not launch._is_table(X) or order.shape[0] == 0 or str(dtype) not in COMPUTED:
        return False
    if not (is_known(network) and is_known_plan(plan)):
        return False
    return _cut(X, _described(order, start, plan, network)[1], dtype) is not None


@functools.lru_cache(maxsize=256)
def _compiled(device: int, rule: PointwiseRule, stored: str, computed: str, cut: NetworkCut) -> Any:
    """The kernel of `network_source`, on one device."""
    code = network_source(rule, stored, computed, cut)
    module = launch.cupy_module().RawModule(code=code, options=launch.OPTIONS)
    kernel = module.get_function("network_epoch")
    kernel.max_dynamic_shared_size_bytes = launch._shared_bytes_of(device)
    return kernel


def _targets(y: Array, found: Description, order: Array, state: Array) -> tuple[Array, Array]:
    # Codes of classes, or values; an array of the type stands in for the other, which is not read.
    if found.output == SOFTMAX_CROSS_ENTROPY:
        return launch._vector(y, np.int64), state
    return order, launch._vector(y, state.dtype)


def network_epoch(
    X: Array,
    y: Array,
    sample_weight: Array | None,
    order: np.ndarray[Any, Any],
    start: Any,
    plan: Any,
    keys: np.ndarray[Any, Any] | None,
    network: Any,
) -> tuple[Any, Array]:
    """Fused `core.network.epoch.generic_network_epoch`.

    Raises
    ------
    KernelCompileError
        Where the rule of the optimizer cannot be translated.
    """
    found, sizes = _described(order, start, plan, network)
    dtype = start.theta.dtype
    cut = _cut(X, sizes, dtype)
    assert cut is not None, "accepts was asked first"
    rule = rule_of(plan.rule, len(start.slots), plan.scalars.shape[1])
    cupy, number, n_steps = launch.cupy_module(), dtype.type, plan.scalars.shape[0]
    (n, d), batch_size = X.shape, min(plan.batch_size, order.shape[0])
    with X.device:
        kernel = _compiled(X.device.id, rule, str(X.dtype), str(dtype), cut)
        # All arrays one behind the other: a copy, so that the start stays what it is.
        state = cupy.concatenate(arrays_of(start))
        losses = cupy.empty(n_steps, dtype=dtype)
        scratch = cupy.empty(max(1, cut.scratch_numbers(sizes)), dtype=dtype)
        steps = np.column_stack([plan.scalars, plan.gains, plan.thresholds])
        drawn = np.zeros(n_steps) if keys is None else keys
        places = _moved(order, np.int64)
        arguments = (
            X, *_targets(y, found, places, state), *launch._weight(sample_weight, state, dtype),
            places, _moved(found.table, np.int64),
            _moved(found.numbers, np.float64), np.int32(found.table.shape[0]),
            np.int32(found.output), _moved(found.penalized, np.int64),
            np.int32(found.penalized.shape[0]), _moved(drawn, np.uint32), _moved(steps, dtype),
            state, scratch, losses, np.int64(n), np.int32(d), np.int32(network.n_outputs),
            np.int32(network.size), np.int32(network.n_parameters), np.int32(found.work),
            np.int32(sizes.derivative), number(plan.ahead), number(plan.l2_reg_strength),
            number(plan.max_norm), np.int32(start.average is not None),
            np.int32(math.isfinite(plan.max_norm)), np.int64(order.shape[0]),
            np.int64(batch_size),
        )  # fmt: skip
        shared_bytes = int(dtype.itemsize) * cut.shared_numbers(sizes)
        kernel((1,), (cut.threads,), arguments, shared_mem=shared_bytes)
    theta, *others = state.reshape(-1, network.size)
    average = None if start.average is None else others[-1]
    return type(start)(theta, tuple(others[: len(start.slots)]), average), losses


def _moved(array: np.ndarray[Any, Any], dtype: Any) -> Array:
    return launch.cupy_module().asarray(np.ascontiguousarray(array, dtype=dtype))


KERNELS = MappingProxyType({"network_epoch": FusedKernel(network_epoch, accepts_network)})
