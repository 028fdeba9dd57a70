"""The one place that chooses between a backend's fused kernel and the generic one, and that hands
functions of arrays to a backend's compiler."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

from ..backends import (
    Backend,
    DeviceMemoryError,
    device_failed,
    fused_enabled,
    out_of_memory,
)

# Bytes of a block below which memory is short for other reasons, and from which halving starts
# where the whole array was one block.
SMALLEST_BLOCK = 1 << 16
LARGEST_BLOCK = 1 << 30
# What fitted last, of backends that ran out of memory.
_FITTING: dict[Backend, int | None] = {}


def run_kernel(
    backend: Backend,
    name: str,
    generic: Callable[..., Any],
    *arguments: Any,
    fused: bool | None = None,
) -> Any:
    """Run the backend's kernel `name` if it has one that accepts these arguments, else `generic`.

    Parameters
    ----------
    backend : Backend
    name : str
        Name of the kernel; the generic function has the same one.
    generic : callable
        Takes `*arguments` and `backend=`.
    fused : bool or None
        False forces the generic kernel; None leaves it to `use_fused` and XPFIT_FUSED.
    """
    kernel = backend.kernels.get(name)
    if kernel is not None and fused_enabled(fused) and kernel.accepts(*arguments):
        return kernel.call(*arguments)
    return in_blocks_that_fit(backend, generic, *arguments)


def has_kernel(backend: Backend, name: str, fused: bool | None = None) -> bool:
    """Whether the backend has a fused kernel of this name, and may use it."""
    return name in backend.kernels and fused_enabled(fused)


def in_blocks_that_fit(backend: Backend, generic: Callable[..., Any], *arguments: Any) -> Any:
    """Run a generic kernel; where memory does not suffice, in blocks of half the size, and again.

    What fitted is where the next pass starts, in this process.
    """
    block_bytes = _FITTING.get(backend, backend.block_bytes)
    while True:
        in_blocks = backend
        if block_bytes != backend.block_bytes:
            in_blocks = replace(backend, block_bytes=block_bytes)
        try:
            result = generic(*arguments, backend=in_blocks)
        except Exception as problem:
            exhausted = backend.trouble_of(problem) == "memory"
            if not exhausted or (block_bytes or LARGEST_BLOCK) <= SMALLEST_BLOCK:
                raise
        else:
            # Not before it fitted: what fits in no block says nothing about the next pass.
            if in_blocks is not backend:
                _FITTING[backend] = in_blocks.block_bytes
            return result
        # Outside of the except clause: its exception keeps the arrays of the failed try alive.
        backend.free_unused()
        block_bytes = (block_bytes or LARGEST_BLOCK) // 2


@contextmanager
def device_errors(backend: Backend, what: str) -> Iterator[None]:
    """Say in plain words when a device runs out of memory or fails.

    Raises
    ------
    DeviceMemoryError, DeviceFailedError
    """
    try:
        yield
    except Exception as problem:
        trouble = backend.trouble_of(problem)
        if trouble is None or isinstance(problem, DeviceMemoryError):
            raise
        explain = out_of_memory if trouble == "memory" else device_failed
        raise explain(what, backend.device, problem) from problem


def can_compile(backend: Backend, name: str, *arguments: Any, fused: bool | None = None) -> bool:
    """Whether a function around the pass `name` over these arguments may be compiled.

    Only around a fused kernel: without one nothing is compiled, and that is the oracle. Rows spread
    over devices are left to operations that the library itself partitions.
    """
    kernel = backend.kernels.get(name)
    return (
        backend.compiles
        and kernel is not None
        and fused_enabled(fused)
        and kernel.accepts(*arguments)
    )


# A compiled function holds its program for every shape that it met: the least used ones go.
@lru_cache(maxsize=128)
def compiled(
    backend: Backend,
    function: Callable[..., Any],
    *static: Hashable,
    donate: tuple[int, ...] = (),
) -> Callable[..., Any]:
    """`function(backend.xp, *static, *arrays)` as a function of the arrays, compiled where the
    backend compiles. The same call again returns the same function, so nothing compiles twice.

    Parameters
    ----------
    backend : Backend
    function : callable
        Defined at the top of a module, and without branches on values of arrays.
    *static
        What the program depends on.
    donate : tuple of int
        Positions of arrays whose memory the result may take over.

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit.backends import get_backend
    >>> def share(xp, k, x):
    ...     return x[k] / xp.sum(x)
    >>> float(compiled(get_backend("numpy"), share, 1)(np.asarray([1.0, 3.0])))
    0.75
    """
    bound = partial(function, backend.xp, *static)
    run: Callable[..., Any] = backend.jit(bound, donate=donate) if donate else backend.jit(bound)
    return run
