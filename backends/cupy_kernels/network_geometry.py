"""Which epochs of networks one block takes, with how many threads, and what lies in shared memory.

What lies where changes no bit of the result, so it may depend on the device; the threads do, and
follow from sizes alone.
"""

from __future__ import annotations

from typing import NamedTuple

from ..network_table import Description
from ..numba_kernels.network_codes import AFFINE, KIND, N_IN, N_OUT
from .epoch_geometry import MOST_THREADS, WARP_SHARE
from .geometry import WARP, threads_of

# Multiply-adds of a batch's forward pass up to which one block takes the steps. By reckoning, not
# by a clock: a multiprocessor makes some 10 multiply-adds a cycle, since each needs more than one
# read of shared memory; the three products of each layer then take 0.7 ms. Step by step, a network
# of one hidden layer is some 100 launches a step (counted), from Python 5 to 10 microseconds each.
MOST_MULTIPLIED = 1 << 22


class NetworkSizes(NamedTuple):
    """Numbers of the three things that may lie in shared memory, and the work of a batch."""

    activations: int  # of a batch, and two derivatives
    parameters: int  # where the gradient is taken, and the gradient
    state: int  # theta, the optimizer's slots, the average
    multiplied: int  # multiply-adds of the forward pass of a batch
    derivative: int  # numbers of the widest derivative of a batch: that of an output, never of X


class NetworkCut(NamedTuple):
    """Threads of the block, and whether each of the three lies in shared memory."""

    c_order: bool
    threads: int
    activations: bool
    parameters: bool
    state: bool

    def shared_numbers(self, sizes: NetworkSizes) -> int:
        """Numbers in shared memory: three of each warp, and what lies there."""
        return 3 * WARP + sum(size * near for size, near in zip(sizes[:3], self[2:], strict=True))

    def scratch_numbers(self, sizes: NetworkSizes) -> int:
        """Numbers of the scratch in global memory; the state has its own place there."""
        return sizes.activations * (not self.activations) + sizes.parameters * (not self.parameters)


def network_sizes(
    found: Description, batch_size: int, size: int, n_trained: int, n_arrays: int
) -> NetworkSizes:
    """The sizes of a network for batches of at most so many rows.

    Parameters
    ----------
    found : Description
        For these batches.
    batch_size : int
    size, n_trained : int
        Length of theta, and of its trained part.
    n_arrays : int
        Theta, the slots of the optimizer, and the average where one is kept.
    """
    rows = found.table[found.table[:, KIND] == AFFINE]
    multiplied = batch_size * int((rows[:, N_IN] * rows[:, N_OUT]).sum())
    derivative = batch_size * int(found.table[:, N_OUT].max())
    activations = found.work + 2 * derivative
    return NetworkSizes(activations, size + n_trained, n_arrays * size, multiplied, derivative)


def network_cut(
    sizes: NetworkSizes, itemsize: int, shared_bytes: int, c_order: bool
) -> NetworkCut | None:
    """The cut; None for more work than one block is given.

    Parameters
    ----------
    sizes : NetworkSizes
    itemsize : int
        Bytes of a parameter.
    shared_bytes : int
        Shared memory that a block of the device can have.
    c_order : bool
        Whether rows of X are contiguous; else its columns are.

    Examples
    --------
    >>> sizes = NetworkSizes(3_000, 1_100, 1_650, 40_000, 500)
    >>> network_cut(sizes, 8, 227 << 10, True)
    NetworkCut(c_order=True, threads=512, activations=True, parameters=True, state=True)
    >>> network_cut(sizes, 8, 34_000, True)
    NetworkCut(c_order=True, threads=512, activations=True, parameters=True, state=False)
    >>> network_cut(sizes._replace(multiplied=1 << 23), 8, 227 << 10, True) is None
    True
    """
    # Layers without products (a normalization, say) are work, too.
    if max(sizes.multiplied, sizes.activations) > MOST_MULTIPLIED:
        return None
    free, near = shared_bytes // itemsize - 3 * WARP, []
    # In this order: what a step reads most often is first.
    for size in sizes[:3]:
        near.append(size <= free)
        free -= size * near[-1]
    threads = min(MOST_THREADS, threads_of(-(-sizes.multiplied // WARP_SHARE)))
    return NetworkCut(c_order, threads, *near)
