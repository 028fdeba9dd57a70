"""Numba: a static graph as one compiled function."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from .graph_expressions import DTYPES
from .graph_loops import LoopWriter
from .graph_schedule import Loop, is_operation, kept_members, schedule
from .graph_steps import NotWritableError, step_lines
from .numba_layout import as_writeable

# A chain of 2,400 took 20 s to compile, one of 8,000 more than twice that: the time grows faster.
MOST_OPERATIONS = 2000

_HEAD = '''"""A static graph, written by xpfit."""
import math

import numpy as np
from numba import njit

from .graph_sums import block_max, block_min, block_sum, larger, matrix_vector, product, smaller
from .scalar import scalar_namespace
from .trigonometric import sincos


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
'''


def numba_source(program: Any) -> str:
    """Source of `run(*inputs, *constants)`, which returns a tuple of the results.

    Raises
    ------
    NotWritableError
        Where a step, or a dtype, is left to NumPy.
    """
    values = program.values
    for value in values:
        if getattr(value.dtype, "name", None) not in DTYPES or not value.dtype.isnative:
            raise NotWritableError
    given = [number for number, value in enumerate(values) if not is_operation(value)]
    lines = [f"def run({', '.join(f'a{number}' for number in given)}):"]
    lines.append("    xp = scalar_namespace()")
    lines += [f"    v{n} = a{n}" + ("[()]" if values[n].shape == () else "") for n in given]
    plan = schedule(program)
    writer = LoopWriter(program, kept_members(program, plan))
    for step in plan:
        found = (
            writer.lines(step) if isinstance(step, Loop) else step_lines(step, values[step], values)
        )
        lines += [f"    {line}" for line in found]
    parts = [f"v{result.number}, " for result in program.results if hasattr(result, "number")]
    lines.append(f"    return ({''.join(parts)})" if parts else "    return (0,)")
    return _HEAD + "\n".join(lines) + "\n"


def accepts_program(program: Any, python_function: Any) -> bool:
    """Whether every step can be written, and compiled in reasonable time."""
    if sum(is_operation(value) for value in program.values) > MOST_OPERATIONS:
        return False
    try:
        numba_source(program)
    except NotWritableError:
        return False
    return True


def graph_program(program: Any, python_function: Any) -> Callable[..., tuple[Any, ...]]:
    """Fused `core.graph.static.source.python_function`: chains of element-wise steps are loops.

    That function is handed over for backends which leave it some of the steps; here are none.
    """
    from numba.core.errors import NumbaPerformanceWarning

    from .numba_kernels.compile import graph_module, prepare

    kernel = graph_module(numba_source(program)).run
    operations = sum(is_operation(value) for value in program.values)
    results = program.results
    ready: set[tuple[str, ...]] = set()

    def run(*arrays: Any) -> tuple[Any, ...]:
        # Constants may be single numbers of NumPy's.
        given = [as_writeable(a if type(a) is np.ndarray else np.asarray(a)) for a in arrays]
        layouts = tuple(_layout(array) for array in given)
        if layouts not in ready:
            with warnings.catch_warnings():
                # Of products of arrays with gaps, which are copied then.
                warnings.simplefilter("ignore", NumbaPerformanceWarning)
                prepare(kernel, f"graph[{operations} operations, {''.join(layouts)}]", *given)
            ready.add(layouts)
        found = iter(kernel(*given))
        finished = tuple(
            _as_numpy(next(found), program.values[result.number])
            if hasattr(result, "number")
            else result
            for result in results
        )
        _keep_from_writing(finished, [array for array in arrays if not array.flags.writeable])
        return finished

    return run


def _keep_from_writing(results: tuple[Any, ...], read_only: list[Any]) -> None:
    # The kernel was shown writeable arrays, so that one serves both kinds; views of them are too.
    for result in results if read_only else ():
        if isinstance(result, np.ndarray) and any(
            np.may_share_memory(result, array) for array in read_only
        ):
            result.flags.writeable = False


def _layout(array: np.ndarray[Any, Any]) -> str:
    flags = array.flags
    return "C" if flags.c_contiguous else "F" if flags.f_contiguous else "A"


def _as_numpy(found: Any, value: Any) -> Any:
    if value.shape != ():
        return found
    return value.dtype.type(found) if not isinstance(found, np.ndarray) else found
