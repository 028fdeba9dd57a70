"""Work on a device: where its arrays are made, in which blocks, and what is said when it fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Any

from ..backends import Backend, DeviceMemoryError, device_failed, device_of, out_of_memory

# Bytes of a block below which memory is short for other reasons, and from which halving starts
# where the whole array was one block.
SMALLEST_BLOCK = 1 << 16
LARGEST_BLOCK = 1 << 30
# What fitted last, of backends that ran out of memory.
_FITTING: dict[Backend, int | None] = {}


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


def on_device_of(backend: Backend, X: Any) -> AbstractContextManager[Any]:
    """A context in which new arrays are made on the device of X; for host data, on the default."""
    return backend.on_device_of(X) if isinstance(X, backend.array_type) else nullcontext()


@contextmanager
def working_on(
    backend: Backend, X: Any, what: str, advice: Callable[[], str | None] | None = None
) -> Iterator[None]:
    """Make new arrays on the device of X; say in plain words when it has no memory left, or fails.

    Parameters
    ----------
    X : array
        Of the backend, or host data on the way to it.
    what : str
        What is being done, for the error.
    advice : callable or None
        What to do where memory is short, for work in which something else than X may be large.

    Raises
    ------
    DeviceMemoryError, DeviceFailedError
    """
    there = on_device_of(backend, X)
    try:
        with there:
            yield
    except Exception as problem:
        trouble = backend.trouble_of(problem)
        if trouble is None or isinstance(problem, DeviceMemoryError):
            raise
        device = device_of(X)
        device = backend.device if device == "cpu" else device  # host data on its way, too
        if trouble == "memory":
            told = None if advice is None else advice()
            raise out_of_memory(what, device, problem, told) from problem
        raise device_failed(what, device, problem) from problem
