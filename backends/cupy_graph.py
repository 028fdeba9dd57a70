"""CuPy: static graphs whose chains of element-wise steps are one CUDA kernel each.

All other steps (products, sums, pieces, functions of a user's own) are CuPy's functions, called by
lines of Python that `core` writes.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .cupy_kernels import launch
from .cupy_kernels.graph_source import THREADS, TYPES, loop_source, needs_of_loop
from .graph_expressions import is_elementwise
from .graph_schedule import Loop, kept_members, needs_of, schedule
from .record import Array, FusedKernel

# A kernel has 4,096 bytes for its arguments, 8 for each array.
MOST_ARRAYS = 500
# Threads beyond these take several entries each.
MOST_BLOCKS = 1 << 16
SMALL_INTEGER = 1 << 31


@functools.lru_cache(maxsize=256)
def _compiled(text: str, device: int) -> Any:
    """The kernel of a text; the device is part of the key alone."""
    module = launch.cupy_module().RawModule(code=text, options=launch.OPTIONS)
    return module.get_function("graph_loop")


class LoopLaunch:
    """A loop of a program as one launch: takes the arrays `needs`, returns those of `makes`."""

    __slots__ = ("dtypes", "makes", "needs", "shape", "text")

    def __init__(self, loop: Loop, values: list[Any], kept: set[int]) -> None:
        self.needs = needs_of_loop(loop, values)
        self.makes = tuple(n for n in loop.members if n in kept)
        self.shape = loop.shape
        self.dtypes = [values[n].dtype for n in self.makes]
        self.text = loop_source(loop, values, self.makes)

    def __call__(self, *arrays: Array) -> tuple[Array, ...]:
        cupy, size = launch.cupy_module(), math.prod(self.shape)
        with arrays[0].device:
            made = tuple(cupy.empty(self.shape, dtype=dtype) for dtype in self.dtypes)
            if size:
                given = [a if a.flags.c_contiguous else cupy.ascontiguousarray(a) for a in arrays]
                kernel = _compiled(self.text, arrays[0].device.id)
                blocks = min(-(-size // THREADS), MOST_BLOCKS)
                kernel((blocks,), (THREADS,), (*given, *made, np.int64(size)))
        return made


def _is_member(operation: Any, values: list[Any]) -> bool:
    """Whether a loop takes a step: its own dtype, and those of what it needs, have C++ types."""
    if not is_elementwise(operation):
        return False
    dtypes = [operation.dtype, *(values[n].dtype for n in needs_of(operation))]
    if any(dtype.name not in TYPES for dtype in dtypes):
        return False
    # NumPy compares 2**40 with int32 as it is; in C++ it would have to fit.
    numbers = [argument for argument in operation.arguments if isinstance(argument, int)]
    return all(abs(n) < SMALL_INTEGER for n in numbers) or all(d.kind == "f" for d in dtypes)


def loop_plan(program: Any) -> list[int | LoopLaunch]:
    """The numbers of CuPy's own steps, and the loops, in an order in which they can be computed.

    One step alone stays CuPy's: it is one launch either way.
    """
    values = program.values
    steps = schedule(program, lambda operation: _is_member(operation, values), lambda _: False)
    kept = kept_members(program, steps)
    plan: list[int | LoopLaunch] = []
    for step in steps:
        if not isinstance(step, Loop):
            plan.append(step)
            continue
        needs = needs_of_loop(step, values)
        n_arrays = len(needs) + sum(n in kept for n in step.members)
        # Of numbers alone: no array would tell the device.
        if len(step.members) == 1 or not needs or n_arrays > MOST_ARRAYS:
            plan.extend(step.members)
        else:
            plan.append(LoopLaunch(step, values, kept))
    return plan


def accepts_program(program: Any, python_function: Any) -> bool:
    """Whether any steps are fused; without such, the program is run line by line as it is."""
    return any(isinstance(step, LoopLaunch) for step in loop_plan(program))


def graph_program(
    program: Any, python_function: Callable[..., Callable[..., tuple[Any, ...]]]
) -> Callable[..., tuple[Any, ...]]:
    """Fused `core.graph.static.source.python_function`, which writes the lines around the loops."""
    return python_function(program, loop_plan(program))


KERNELS = {"graph_program": FusedKernel(graph_program, accepts_program)}
