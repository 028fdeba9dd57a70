"""How a mini-batch is cut up among threads and blocks, and which batches get more than one block.

As in `geometry.py`, all of it follows from sizes, dtype and order, and from nothing else: the same
epoch gives the same bits on every device of a generation.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from .geometry import SHARED_BYTES, SPLIT_BYTES, THREADS, WARP, _up, threads_of

# Multiply-adds of a batch's product up to which one block takes the steps, and there is one launch
# an epoch. By reckoning, nothing was measured: a multiprocessor takes in some 50 GB/s, so 65,536
# entries of 8 bytes in 10 microseconds; and two launches from Python cost about as much.
MOST_ONE_BLOCK = 1 << 16
# So many multiply-adds are a warp's share: more warps would wait at more barriers than they save.
WARP_SHARE = 256
MOST_THREADS = 512
MOST_CHUNK = 256
MOST_BLOCKS = 512
CLASSES = 4


class EpochCut(NamedTuple):
    """Threads of a block for a mini-batch, and the chunk of rows that it holds at a time."""

    c_order: bool
    threads: int
    lanes: int
    rows: int
    columns: int
    split: int
    classes: int
    one_block: bool
    in_shared: bool

    def shared_bytes(self, width: int, n_outputs: int, n_arrays: int, itemsize: int) -> int:
        """Shared memory: parameters, sums, raw predictions, the chunk, numbers of warps, state."""
        size = width * n_outputs
        numbers = (1 + self.split) * size + self.rows * (n_outputs + width) + 3 * WARP
        return itemsize * (numbers + self.in_shared * n_arrays * size)


def epoch_cut(
    width: int, n_outputs: int, batch_size: int, n_arrays: int, itemsize: int, c_order: bool
) -> EpochCut | None:
    """The cut for a batch; None where its parameters do not fit into shared memory.

    Parameters
    ----------
    width : int
        Columns of X, and one for the intercept where there is one.
    n_outputs, batch_size : int
    n_arrays : int
        Theta, the slots of the optimizer, and the average where one is kept.
    itemsize : int
        Bytes of a parameter.
    c_order : bool
        Whether rows of X are contiguous; else its columns are.

    Examples
    --------
    >>> cut = epoch_cut(65, 1, 32, 3, 8, True)
    >>> cut.threads, cut.lanes, cut.rows, cut.split, cut.one_block, cut.in_shared
    (512, 32, 32, 4, True, True)
    >>> epoch_cut(65, 1, 4096, 3, 8, True).one_block
    False
    >>> epoch_cut(785, 100, 32, 3, 8, True) is None
    True
    """
    work = batch_size * width * n_outputs
    one_block = work <= MOST_ONE_BLOCK
    threads = min(MOST_THREADS, threads_of(-(-work // WARP_SHARE))) if one_block else THREADS
    columns = min(threads, _up(width))
    taken = batch_size if one_block else -(-batch_size // blocks_of(batch_size))
    most = min(MOST_CHUNK, threads, _up(taken))
    # Batches of one block are small: any chunk is better than dozens of launches.
    limits = (*SHARED_BYTES, (SHARED_BYTES[-1][0], 1)) if one_block else SHARED_BYTES
    for budget, fewest in limits:
        for in_shared in (True, False) if one_block else (False,):
            rows = most
            while rows >= min(fewest, most):
                split = min(threads // columns, rows)
                while split > 1 and split * width * n_outputs * itemsize > SPLIT_BYTES:
                    split //= 2
                cut = EpochCut(
                    c_order, threads, min(WARP, _up(width)), rows, columns, split,
                    1 if n_outputs == 1 else CLASSES, one_block, in_shared,
                )  # fmt: skip
                if cut.shared_bytes(width, n_outputs, n_arrays, itemsize) <= budget:
                    return cut
                rows //= 2
    return None


def blocks_of(batch_size: int) -> int:
    """Blocks that share a batch: with the root of its rows, a block reads as many rows as there are
    sums to add up behind it.

    Examples
    --------
    >>> blocks_of(4096), blocks_of(10_000_000)
    (64, 512)
    """
    return min(MOST_BLOCKS, max(1, math.isqrt(batch_size)))


def block_rows_of(batch_size: int, cut: EpochCut) -> int:
    """Rows of a batch that a block takes: whole chunks."""
    taken = -(-batch_size // blocks_of(batch_size))
    return cut.rows * -(-taken // cut.rows)
