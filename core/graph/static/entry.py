"""A program and how it is run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from ...optimizers.tree import unflatten
from ..tracer import TracingError
from .program import Constant, Operation, Program, Slot
from .source import python_function

# What two runs of one program may differ by, relative to the numbers.
REPEATABLE = 1e-6


class Entry:
    """A program and how it is run.

    Parameters
    ----------
    program : Program
    containers : tree
        The form of what the function returns.
    run : callable
        Of inputs and constants; returns a tuple of the results.
    """

    __slots__ = ("constants", "containers", "copied", "program", "run")

    def __init__(self, program: Program, containers: Any, run: Callable[..., Any]) -> None:
        self.program, self.containers, self.run = program, containers, run
        self.constants = program.constants
        self.copied = _not_of_its_own(program)

    def __call__(self, arrays: Sequence[Any]) -> Any:
        found = self.run(*arrays, *self.constants)
        if self.copied:
            found = list(found)
            for k in self.copied:
                found[k] = _copy(found[k])
        return found[0] if type(self.containers) is int else unflatten(self.containers, found)


def _not_of_its_own(program: Program) -> tuple[int, ...]:
    """The places of results that are an argument, an array of the program, or an earlier result.

    Who writes to a result must not write to any of them.
    """
    places, seen = [], set()
    for k, result in enumerate(program.results):
        if isinstance(result, Slot):
            computed = isinstance(program.values[result.number], Operation)
            if not computed or result.number in seen:
                places.append(k)
            seen.add(result.number)
        elif hasattr(result, "dtype"):
            places.append(k)
    return tuple(places)


def _copy(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value
    return array_namespace(value).asarray(value, copy=True)


def require_repeatable(who: str, program: Program, inputs: list[Any], results: list[Any]) -> None:
    """Raise a TracingError where the program finds other numbers than the function did.

    It does where the function uses an array from around it, and writes to that array itself: the
    program holds the array, and what was in it between two steps is gone.
    """
    around = any(isinstance(v, Constant) and not v.is_own for v in program.values)
    if not around or any(operation.kind != "listed" for operation in program.operations):
        return
    found = python_function(program)(*inputs, *program.constants)
    with np.errstate(all="ignore"):
        same = all(_same(own, other) for own, other in zip(found, results, strict=True))
    if not same:
        message = (
            f"{who} is compiled, and uses an array from around it that it writes to while it runs: "
            "run again on the same arguments, what was traced finds other numbers. Make a new "
            "array where it writes, or pass the array as an argument."
        )
        raise TracingError(message)


def _same(a: Any, b: Any) -> bool:
    if not (hasattr(a, "dtype") and hasattr(b, "dtype")):
        return bool(a == b)
    a, b = (np.asarray(x) if isinstance(x, np.generic) else x for x in (a, b))
    xp = array_namespace(a, b)
    same = (a == b) | ((a != a) & (b != b))
    if xp.isdtype(a.dtype, ("real floating", "complex floating")):
        same = same | (xp.abs(a - b) <= REPEATABLE * xp.abs(b))
    return bool(xp.all(same))
