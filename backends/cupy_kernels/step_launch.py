"""Host side of the CUDA kernels of one block: what a solver does between two passes.

Each function has the signature of the generic one of its name in `core/solvers/`, and is one
launch. Nothing is copied to the host, and nothing waits for the device.
"""

from __future__ import annotations

import functools
from types import MappingProxyType
from typing import Any

import numpy as np

from ..record import Array, FusedKernel
from . import launch, source
from .geometry import (
    MOST_PAIRS,
    MOST_PARAMETERS,
    MOST_SUMMED,
    WARP,
    numbers_shared_bytes,
    threads_of,
    update_shared_bytes,
)
from .prelude import COMPUTED


@functools.lru_cache(maxsize=32)
def _compiled(make: Any, name: str, device: int, dtype: str, threads: int) -> Any:
    """The kernel `name` of the text that `make` writes; the device is part of the key alone."""
    module = launch.cupy_module().RawModule(code=make(dtype, threads), options=launch.OPTIONS)
    return module.get_function(name)


def _is_whole(array: Any, dtype: Any, *shape: int) -> bool:
    return bool(
        hasattr(array, "flags")
        and array.flags.c_contiguous
        and array.dtype == dtype
        and array.shape == shape
    )


def accepts_lbfgs_update(
    n_slots: Any, memory: Any, slot: Any, before: Any, here: Any, apply_initial: Any
) -> bool:
    """Whether `lbfgs_update` takes these arguments: few parameters, and the inverse as a matrix."""
    theta, inverse = here.theta, getattr(apply_initial, "dense", None)
    if inverse is None or theta.ndim != 1 or str(theta.dtype) not in COMPUTED:
        return False
    size, dtype, capacity = int(theta.shape[0]), theta.dtype, int(memory.steps.shape[0])
    if not 1 <= size <= MOST_PARAMETERS or capacity > MOST_PAIRS:
        return False
    vectors = theta, here.gradient, before.theta, before.gradient
    return (
        0 <= slot < n_slots <= capacity
        and all(_is_whole(vector, dtype, size) for vector in vectors)
        and _is_whole(inverse, dtype, size, size)
        and _is_whole(memory.steps, dtype, capacity, size)
        and _is_whole(memory.changes, dtype, capacity, size)
        and _is_whole(memory.products, dtype, capacity, capacity)
        and _is_whole(memory.scale, dtype)
    )


def lbfgs_update(
    n_slots: int, memory: Any, slot: int, before: Any, here: Any, apply_initial: Any
) -> tuple[Any, Array, Array]:
    """Fused `core.solvers.lbfgs.generic_update`: the memory, in place; direction; theta there."""
    theta = here.theta
    size, dtype, capacity = int(theta.shape[0]), theta.dtype, int(memory.steps.shape[0])
    cupy, threads = launch.cupy_module(), threads_of(size)
    numbers = (np.int32(n) for n in (n_slots, capacity, slot, size))
    with theta.device:
        kernel = _compiled(
            source.lbfgs_update_source, "lbfgs_update", theta.device.id, str(dtype), threads
        )
        along, theta_after = cupy.empty(size, dtype=dtype), cupy.empty(size, dtype=dtype)
        arguments = (
            *numbers, *memory, before.theta, before.gradient, theta, here.gradient,
            apply_initial.dense, along, theta_after,
        )  # fmt: skip
        shared_bytes = update_shared_bytes(size, int(dtype.itemsize))
        kernel((1,), (threads,), arguments, shared_mem=shared_bytes)
    return tuple(memory), along, theta_after


def accepts_step_numbers(start: Any, along: Any, value: Any, gradient: Any) -> bool:
    """Whether `step_numbers` takes these arguments: vectors of up to 16,384 numbers."""
    if along.ndim != 1 or str(along.dtype) not in COMPUTED:
        return False
    size, dtype = int(along.shape[0]), along.dtype
    return (
        1 <= size <= MOST_SUMMED
        and all(_is_whole(vector, dtype, size) for vector in (start, along, gradient))
        and _is_whole(value, dtype)
    )


def step_numbers(start: Array, along: Array, value: Array, gradient: Array) -> Array:
    """Fused `core.solvers.full_step.step_numbers`."""
    size, dtype = int(along.shape[0]), along.dtype
    threads = threads_of(-(-size // WARP))
    with along.device:
        kernel = _compiled(
            source.step_numbers_source, "step_numbers", along.device.id, str(dtype), threads
        )
        numbers = launch.cupy_module().empty(4, dtype=dtype)
        arguments = np.int32(size), start, along, value, gradient, numbers
        shared_bytes = numbers_shared_bytes(int(dtype.itemsize))
        kernel((1,), (threads,), arguments, shared_mem=shared_bytes)
    return numbers


KERNELS = MappingProxyType(
    {
        "lbfgs_update": FusedKernel(lbfgs_update, accepts_lbfgs_update),
        "step_numbers": FusedKernel(step_numbers, accepts_step_numbers),
    }
)
