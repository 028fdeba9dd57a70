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


def _rows(block_bytes: int, n_features: int, dtype: Any) -> int:
    row_bytes = n_features * int(jnp.dtype(dtype).itemsize)
    return max(SMALLEST_BLOCK, block_bytes // max(1, row_bytes))


def over_blocks(
    run: Callable[..., Any], dtype: Any, X: Array, *others: Array | None, width: int | None = None
) -> Any:
    """`run(rows, X, *others)` with the number of rows whose copy in `dtype` makes a good block.

    `width` is how many numbers are made of a row, where they are not the columns of X.

    The platform is known when a program is compiled for it, not yet when it is traced.
    """
    on_cpu, elsewhere = (
        _rows(n_bytes, width or X.shape[1], dtype)
        for n_bytes in (CPU_BLOCK_BYTES, DEVICE_BLOCK_BYTES)
    )
    if X.shape[0] <= on_cpu:
        return run(on_cpu, X, *others)
    return lax.platform_dependent(
        X, *others, cpu=partial(run, on_cpu), default=partial(run, elsewhere)
    )


def sum_over_blocks(part: Part, dtype: Any, *arrays: Array | None, width: int | None = None) -> Any:
    """The sum of `part(*block)` over blocks of rows; None among the arrays stays None.

    Parameters
    ----------
    part : callable
    dtype
        Of the copy that a part makes of its rows.
    *arrays
        X, and what else has a row for each of its rows.
    width
        Numbers that a part makes of a row; None: the columns of X.
    """
    return over_blocks(partial(_sum, part), dtype, *arrays, width=width)


def _sum(part: Part, rows: int, X: Array, *others: Array | None) -> Any:
    # The last, shorter block has a static size of its own: no row is padded or masked.
    arrays, n_samples = (X, *others), X.shape[0]
    whole = n_samples // rows

    def block(start: Any, size: int) -> Any:
        return part(
            *(
                None if array is None else lax.dynamic_slice_in_dim(array, start, size)
                for array in arrays
            )
        )

    if whole == 0:
        return part(*arrays)
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
