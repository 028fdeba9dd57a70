"""Host side of mini-batch descent on CUDA: one launch an epoch, or two a step for large batches.

The order of the rows and the numbers of all steps go to the device before the first launch; nothing
is copied back, and nothing waits for the device.
"""

from __future__ import annotations

import functools
import math
from types import MappingProxyType
from typing import Any

import numpy as np

from ..record import Array, FusedKernel
from . import launch
from .epoch_geometry import EpochCut, block_rows_of, epoch_cut
from .epoch_source import epoch_source, rule_of
from .geometry import WARP
from .launch import OPTIONS, _is_plain, _readable, _shared_bytes_of, _vector, _weight
from .source import formulas_of

# What the kernels do of a plan. One with anything else in it is left to the generic engine.
KNOWN = {
    "batch_size", "rule", "scalars", "gains", "ahead", "l2_reg_strength", "max_norm", "thresholds",
    "plain_decay",  # a second name for part of the rule
}  # fmt: skip


def arrays_of(start: Any) -> tuple[Array, ...]:
    """Theta, the slots of the optimizer, and the average where one is kept."""
    average = () if start.average is None else (start.average,)
    return (start.theta, *start.slots, *average)


def is_known_plan(plan: Any) -> bool:
    """Whether the kernels do all that the plan asks for, and the rule's source can be read."""
    unknown = (getattr(plan, name) for name in set(plan._fields) - KNOWN)
    return not any(unknown) and _readable(plan.rule)


def _cut(X: Array, order: Any, start: Any, plan: Any) -> EpochCut | None:
    width, n_outputs = start.theta.shape
    batch_size = min(plan.batch_size, order.shape[0])
    c_order, n_arrays = bool(X.flags.c_contiguous), len(arrays_of(start))
    return epoch_cut(
        width, n_outputs, batch_size, n_arrays, int(start.theta.dtype.itemsize), c_order
    )


def _shared_bytes(cut: EpochCut, start: Any) -> int:
    width, n_outputs = start.theta.shape
    return cut.shared_bytes(
        width, n_outputs, len(arrays_of(start)), int(start.theta.dtype.itemsize)
    )


def accepts_epoch(
    X: Any, y: Any, sample_weight: Any, order: Any, start: Any, plan: Any, loss: Any
) -> bool:
    """Whether `minibatch_epoch` takes these arguments: dense X, a known loss, a plan of which all
    is known, and parameters that fit into shared memory."""
    if not _is_plain(X, start.theta) or y.ndim != 1 or order.shape[0] == 0:
        return False
    if not is_known_plan(plan):
        return False
    if loss.is_multiclass:
        known = loss.fused_as == "half_multinomial"
    else:
        readable = _readable(loss.value) and _readable(loss.gradient)
        known = start.theta.shape[1] == 1 and readable
    cut = _cut(X, order, start, plan) if known else None
    return cut is not None and _shared_bytes(cut, start) <= _shared_bytes_of(X.device.id)


@functools.lru_cache(maxsize=256)
def _compiled(device: int, names: tuple[str, ...], *parts: Any) -> tuple[Any, ...]:
    """The kernels of those names of `epoch_source(*parts)`; the first takes X."""
    module = launch.cupy_module().RawModule(code=epoch_source(*parts), options=OPTIONS)
    kernels = tuple(module.get_function(name) for name in names)
    kernels[0].max_dynamic_shared_size_bytes = _shared_bytes_of(device)
    return kernels


def minibatch_epoch(
    X: Array,
    y: Array,
    sample_weight: Array | None,
    order: np.ndarray[Any, Any],
    start: Any,
    plan: Any,
    loss: Any,
) -> tuple[Any, Array]:
    """Fused `core.minibatch.generic_minibatch_epoch`.

    Raises
    ------
    KernelCompileError
        Where a formula of the loss, or the rule of the optimizer, cannot be translated.
    """
    cut, dtype = _cut(X, order, start, plan), start.theta.dtype
    width, n_outputs = start.theta.shape
    assert cut is not None, "accepts was asked first"
    formulas = None if loss.is_multiclass else formulas_of(loss)
    rule = rule_of(plan.rule, len(start.slots), plan.scalars.shape[1])
    names = ("minibatch_epoch",) if cut.one_block else ("batch_sums", "batch_step")
    cupy = launch.cupy_module()
    with X.device:
        kernels = _compiled(X.device.id, names, formulas, rule, str(X.dtype), str(dtype), cut)
        # Class-major, one behind the other; the result is cut up again without a copy.
        state = cupy.concatenate([array.T.reshape(-1) for array in arrays_of(start)])
        weight, weighted = _weight(sample_weight, state, dtype)
        data = (
            X, _vector(y, np.int64 if loss.is_multiclass else dtype), weight, weighted,
            cupy.asarray(np.ascontiguousarray(order, dtype=np.int64)),
        )  # fmt: skip
        steps = np.column_stack([plan.scalars, plan.gains, plan.thresholds]).astype(
            dtype, order="C"
        )
        losses = cupy.empty(steps.shape[0], dtype=dtype)
        epoch = _Epoch(cut, data, cupy.asarray(steps), state, losses, start, plan, loss)
        run = epoch.in_one_launch if cut.one_block else epoch.step_by_step
        run(kernels, order.shape[0])
    theta, *others = (own.T for own in state.reshape(-1, n_outputs, width))
    average = None if start.average is None else others[-1]
    return type(start)(theta, tuple(others[: len(start.slots)]), average), losses


class _Epoch:
    """The arguments of the launches of an epoch."""

    def __init__(
        self, cut: EpochCut, data: tuple[Any, ...], steps: Array, state: Array, losses: Array,
        start: Any, plan: Any, loss: Any,
    ) -> None:  # fmt: skip
        (n, d), (width, n_outputs) = data[0].shape, start.theta.shape
        self.cut, self.data, self.steps = cut, data, steps
        self.state, self.losses, self.batch_size = state, losses, plan.batch_size
        self.dtype, self.shared_bytes = state.dtype, _shared_bytes(cut, start)
        self.size, self.d = width * n_outputs, d
        number = self.dtype.type
        self.parameters = tuple(number(parameter) for parameter in loss.parameters)
        self.n, self.sizes = np.int64(n), (np.int32(d), np.int32(width), np.int32(n_outputs))
        self.ahead, self.clips = number(plan.ahead), math.isfinite(plan.max_norm)
        self.options = (
            self.ahead, number(plan.l2_reg_strength), number(plan.max_norm),
            np.int32(start.average is not None), np.int32(self.clips),
        )  # fmt: skip

    def in_one_launch(self, kernels: tuple[Any, ...], n_taken: int) -> None:
        arguments = (
            *self.data, self.steps, self.state, self.losses, *self.parameters, self.n, *self.sizes,
            *self.options, np.int64(n_taken), np.int64(self.batch_size),
        )  # fmt: skip
        kernels[0]((1,), (self.cut.threads,), arguments, shared_mem=self.shared_bytes)

    def step_by_step(self, kernels: tuple[Any, ...], n_taken: int) -> None:
        # The host runs ahead of the device, which finds the next launch when it has done with one.
        cupy, cut, (batch_sums, batch_step) = launch.cupy_module(), self.cut, kernels
        block_rows = block_rows_of(min(self.batch_size, n_taken), cut)
        most_blocks = -(-min(self.batch_size, n_taken) // block_rows)
        sums = cupy.empty((most_blocks, self.size + 1), dtype=self.dtype)
        gradient = cupy.empty(self.size, dtype=self.dtype)
        step_blocks = 1 if self.clips else -(-(self.size + 1) // WARP)
        for t, first in enumerate(range(0, n_taken, self.batch_size)):
            last = min(first + self.batch_size, n_taken)
            n_blocks = -(-(last - first) // block_rows)
            batch = np.int64(first), np.int64(last), np.int32(block_rows)
            arguments = (
                *self.data, self.state, sums, *self.parameters, self.n, *self.sizes, self.ahead,
                *batch,
            )  # fmt: skip
            batch_sums((n_blocks,), (cut.threads,), arguments, shared_mem=self.shared_bytes)
            arguments = (
                sums, np.int32(n_blocks), self.steps, self.state, gradient, self.losses,
                np.int32(t), np.int32(last - first), *self.sizes, *self.options,
            )  # fmt: skip
            batch_step((step_blocks,), (cut.threads,), arguments)


KERNELS = MappingProxyType({"minibatch_epoch": FusedKernel(minibatch_epoch, accepts_epoch)})
