"""What the fused passes for JAX are made of: products, and sums over blocks of rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from .record import Array

# Of X once converted: small enough for a shared cache, large enough that the loop costs nothing
# (blocks of 0.5 to 4 MiB were tried: each doubling helped, or did no harm).
CPU_BLOCK_BYTES = 1 << 22
# An accelerator has no such cache, and each trip of the loop costs several launches there: blocks
# only bound the memory that a converted copy takes.
DEVICE_BLOCK_BYTES = 1 << 28
SMALLEST_BLOCK = 64

# Of float32 the full 24 bits: JAX's default on a GPU may be TF32, which has 11.
matmul = partial(jnp.matmul, precision=lax.Precision.HIGHEST)
Part = Callable[..., Any]


def _platform(array: Array) -> str:
    if isinstance(array, jax.core.Tracer):
        return jax.default_backend()
    return str(next(iter(array.devices())).platform)


def block_rows(X: Array, W: Array) -> int:
    block_bytes = CPU_BLOCK_BYTES if _platform(X) == "cpu" else DEVICE_BLOCK_BYTES
    row_bytes = int(X.shape[1]) * int(W.dtype.itemsize)
    return max(SMALLEST_BLOCK, block_bytes // max(1, row_bytes))


def times(X: Array, W: Array) -> Array:
    """X @ W."""
    if W.shape[1] == 1:
        return jnp.sum(X * W[:, 0], axis=1)[:, None]
    return matmul(X, W)


def transposed_times(X: Array, g: Array) -> Array:
    """X.T @ g."""
    if g.shape[1] == 1:
        return jnp.sum(X * g, axis=0)[:, None]
    return matmul(X.T, g)


def sum_over_blocks(part: Part, rows: int, *arrays: Array | None) -> Any:
    """The sum of `part(*block)` over blocks of rows; None among the arrays stays None.

    The last, shorter block has a static size of its own: no row is padded or masked.
    """
    present = [array for array in arrays if array is not None]
    n_samples = present[0].shape[0]
    whole = n_samples // rows

    def block(start: Any, size: int) -> Any:
        return part(
            *(
                None if array is None else lax.dynamic_slice_in_dim(array, start, size)
                for array in arrays
            )
        )

    if whole == 0:
        return block(0, n_samples)
    total = block(0, rows)
    if whole > 1:
        total = lax.fori_loop(
            1, whole, lambda i, sums: jax.tree.map(jnp.add, sums, block(i * rows, rows)), total
        )
    if n_samples > whole * rows:
        total = jax.tree.map(jnp.add, total, block(whole * rows, n_samples - whole * rows))
    return total


def weighted(values: Array, weight: Array | None) -> Array:
    if weight is None:
        return values
    return values * weight if values.ndim == 1 else values * weight[:, None]
