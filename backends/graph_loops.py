"""Groups the element-wise steps of a static graph into loops, and writes the loops.

A program (`core.graph.static.program`) is a list of numbered values. Steps of one shape that can be
computed together become one loop: whatever lies between them stays in registers. Sums over the
entries of such a loop are formed in it, by blocks, so that neither the entries are stored nor long
sums lose digits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .graph_expressions import (
    DTYPES,
    FLOATS,
    Names,
    expression,
    is_elementwise,
    sines_and_cosines,
)

REDUCTIONS = ("sum", "mean", "max", "min")
# Entries that are summed at a time: two of such blocks stay in the nearest cache.
BLOCK = 512


@dataclass
class Loop:
    """Steps over one shape: `members` are computed entry by entry, `sums` reduce them."""

    shape: tuple[int, ...]
    members: list[int] = field(default_factory=list)
    sums: list[int] = field(default_factory=list)


def slots_of(value: Any) -> list[int]:
    """The numbers of the values in an argument: whatever has a `number`."""
    if hasattr(value, "number"):
        return [value.number]
    if isinstance(value, tuple | list):
        return [number for child in value for number in slots_of(child)]
    return []


def is_operation(value: Any) -> bool:
    """Whether a value of a program is computed, and not given."""
    return hasattr(value, "function")


def is_reduction(operation: Any) -> bool:
    """Whether a step can be formed within a loop over its argument."""
    if operation.name not in REDUCTIONS or len(slots_of(operation.arguments)) != 1:
        return False
    known = DTYPES if operation.name == "sum" else FLOATS
    return operation.dtype.name in known and set(operation.options) <= {"axis", "keepdims"}


class _Stages:
    """When each value can be computed: after what it needs, but in the loop of what it needs
    where both have entries of one shape.
    """

    def __init__(self, values: list[Any]) -> None:
        self.values = values
        self.of: dict[int, int] = {}
        self._in_loops: set[int] = set()
        for number, value in enumerate(values):
            self.of[number] = self._earliest(value) if is_operation(value) else -1
            if is_operation(value) and is_elementwise(value):
                self._in_loops.add(number)
        self._move_what_is_free()

    def loop_shape(self, value: Any) -> tuple[int, ...] | None:
        """The shape of the loop that computes a value; None for a step by itself."""
        if is_elementwise(value):
            return tuple(value.shape)
        if is_reduction(value):
            return tuple(self.values[slots_of(value.arguments)[0]].shape)
        return None

    def _joins(self, need: int, value: Any) -> bool:
        return need in self._in_loops and self.values[need].shape == self.loop_shape(value)

    def _earliest(self, value: Any) -> int:
        needs = slots_of(value.arguments)
        return max((self.of[n] + (not self._joins(n, value)) for n in needs), default=0)

    def _move_what_is_free(self) -> None:
        # What is made of arguments and numbers alone would be a loop of its own before all others,
        # and be stored: it is put off to the loop that needs it first.
        free: set[int] = set()
        for number in sorted(self._in_loops):
            needs = slots_of(self.values[number].arguments)
            if all(self.of[n] < 0 or self.values[n].shape == () or n in free for n in needs):
                free.add(number)
        latest: dict[int, int] = {}
        for number in range(len(self.values) - 1, -1, -1):
            value = self.values[number]
            if not is_operation(value):
                continue
            if number in free and value.shape != ():
                self.of[number] = max(self.of[number], latest.get(number, 0))
            for need in slots_of(value.arguments):
                last = self.of[number] - (not self._joins(need, value))
                latest[need] = min(last, latest.get(need, last))


def schedule(program: Any) -> list[Loop | int]:
    """Loops and the numbers of single steps, in an order in which they can be computed."""
    stages = _Stages(program.values)
    loops: dict[tuple[int, tuple[int, ...]], Loop] = {}
    plan: list[tuple[int, Loop | int]] = []
    for number, value in enumerate(program.values):
        if not is_operation(value):
            continue
        at, shape = stages.of[number], stages.loop_shape(value)
        if shape is None:
            plan.append((at, number))
            continue
        if (at, shape) not in loops:
            loops[at, shape] = Loop(shape)
            plan.append((at, loops[at, shape]))
        loop = loops[at, shape]
        (loop.members if is_elementwise(value) else loop.sums).append(number)
    return [step for _, step in sorted(plan, key=lambda pair: pair[0])]


def kept_members(program: Any, plan: list[Loop | int]) -> set[int]:
    """The members of loops whose entries are needed outside of their loop."""
    home = {n: loop for loop in plan if isinstance(loop, Loop) for n in (*loop.members, *loop.sums)}
    kept = {result.number for result in program.results if hasattr(result, "number")}
    for number, value in enumerate(program.values):
        if is_operation(value):
            own = home.get(number)
            kept |= {need for need in slots_of(value.arguments) if home.get(need) is not own}
            if own is None:
                kept |= set(slots_of(value.arguments))
    return kept


class LoopWriter:
    """Source of the loops of one program.

    Parameters
    ----------
    program : Program
    kept : set of int
        See `kept_members`.
    """

    def __init__(self, program: Any, kept: set[int]) -> None:
        self.values, self.kept = program.values, kept

    def lines(self, loop: Loop) -> list[str]:
        """The statements of a loop, with the arrays that it fills."""
        if loop.shape == ():
            return self._scalars(loop)
        return self._arrays(loop)

    def _scalars(self, loop: Loop) -> list[str]:
        names = Names(self.values, lambda number: f"v{number}")
        found = [f"v{n} = {expression(self.values[n], names)}" for n in loop.members]
        # Of one number: the sum and the extremes are that number, in the dtype of the result.
        for number in loop.sums:
            operation = self.values[number]
            cast = names.operand(operation.arguments[0], operation.dtype)
            found.append(f"v{number} = {cast}")
        return found

    def _arrays(self, loop: Loop) -> list[str]:
        inner = len(loop.shape) - 1
        lines = [
            f"v{n} = np.empty({loop.shape!r}, np.{self.values[n].dtype.name})"
            for n in loop.members
            if n in self.kept
        ]
        by_rows = [n for n in loop.sums if inner in self._axes(n)]
        for n in loop.sums:
            lines += self._begin(n, loop.shape, n in by_rows)
        indent = ""
        for axis in range(inner):
            lines.append(f"{indent}for i{axis} in range({loop.shape[axis]}):")
            indent += "    "
        width = loop.shape[inner]
        blocked = bool(by_rows) and width > BLOCK
        if blocked:
            lines.append(f"{indent}for k in range(0, {width}, {BLOCK}):")
            indent += "    "
            lines.append(f"{indent}m = min({BLOCK}, {width} - k)")
            lines.append(f"{indent}for j in range(m):")
            lines.append(f"{indent}    i{inner} = k + j")
        else:
            lines.append(f"{indent}for i{inner} in range({width}):")
        place = "j" if blocked else f"i{inner}"
        lines += [f"{indent}    {line}" for line in self._body(loop, by_rows, place)]
        count = "m" if blocked else str(width)
        for n in by_rows:
            lines.append(f"{indent}{self._gather(n, f'block_{self._kind(n)}(b{n}, {count})')}")
        for n in loop.sums:
            lines += self._end(n, loop.shape)
        return lines

    def _body(self, loop: Loop, by_rows: list[int], place: str) -> list[str]:
        inside = set(loop.members)

        def entry(number: int) -> str:
            if number in inside:
                return f"t{number}"
            return self._indexed(number, loop.shape)

        names = Names(self.values, entry)
        lines = []
        pairs = sines_and_cosines(self.values, loop.members)
        for n in loop.members:
            sine, cosine = pairs.get(n, (n, n))
            if sine == cosine:
                lines.append(f"t{n} = {expression(self.values[n], names)}")
            elif n == min(sine, cosine):
                argument = names.operand(self.values[n].arguments[0], np.dtype(np.float64))
                lines.append(f"t{sine}, t{cosine} = sincos({argument})")
                if self.values[n].dtype != np.float64:
                    lines += [
                        f"t{m} = np.{self.values[m].dtype.name}(t{m})" for m in (sine, cosine)
                    ]
            if n in self.kept:
                lines.append(f"{self._indexed(n, loop.shape)} = t{n}")
        for n in loop.sums:
            operation = self.values[n]
            term = names.operand(operation.arguments[0], operation.dtype)
            lines.append(f"b{n}[{place}] = {term}" if n in by_rows else self._gather(n, term))
        return lines

    def _indexed(self, number: int, shape: tuple[int, ...]) -> str:
        own = self.values[number].shape
        if own == ():
            return f"v{number}"
        first = len(shape) - len(own)
        places = [
            "0" if n == 1 and shape[first + a] != 1 else f"i{first + a}" for a, n in enumerate(own)
        ]
        return f"v{number}[{', '.join(places)}]"

    def _kind(self, number: int) -> str:
        name: str = self.values[number].name
        return "sum" if name == "mean" else name

    def _axes(self, number: int) -> tuple[int, ...]:
        operation = self.values[number]
        ndim = len(self.values[operation.arguments[0].number].shape)
        axis = operation.options.get("axis")
        if axis is None:
            return tuple(range(ndim))
        return tuple(a % ndim for a in (axis if isinstance(axis, tuple) else (axis,)))

    def _begin(self, number: int, shape: tuple[int, ...], by_rows: bool) -> list[str]:
        """The place of a result, with what it begins with; and its block of entries."""
        operation, axes = self.values[number], self._axes(number)
        dtype = operation.dtype.name
        start = {"sum": "0", "max": "-np.inf", "min": "np.inf"}[self._kind(number)]
        left = tuple(n for a, n in enumerate(shape) if a not in axes)
        # float32 is summed in float64: NumPy's order of additions is not that of a loop.
        wide = "float64" if dtype == "float32" else dtype
        filled = f"np.full({left!r}, {start}, np.{wide})"
        if start == "0":  # said more simply, because it is compiled for every sum
            filled = f"np.zeros({left!r}, np.{wide})"
        lines = [f"r{number} = {filled}" if left else f"r{number} = np.{wide}({start})"]
        if by_rows:
            lines.append(f"b{number} = np.empty({min(BLOCK, shape[-1])}, np.{dtype})")
        return lines

    def _gather(self, number: int, term: str) -> str:
        axes, kind = self._axes(number), self._kind(number)
        shape = self.values[self.values[number].arguments[0].number].shape
        places = ", ".join(f"i{a}" for a in range(len(shape)) if a not in axes)
        target = f"r{number}[{places}]" if places else f"r{number}"
        if kind == "sum":
            return f"{target} += {term}"
        choose = "larger" if kind == "max" else "smaller"
        return f"{target} = {choose}({target}, {term})"

    def _end(self, number: int, shape: tuple[int, ...]) -> list[str]:
        operation, axes = self.values[number], self._axes(number)
        dtype, result = operation.dtype.name, f"r{number}"
        if operation.name == "mean":
            result = f"{result} / {math.prod(shape[a] for a in axes)}"
        if operation.shape == ():
            return [f"v{number} = np.{dtype}({result})"]
        if len(axes) == len(shape):
            return [f"v{number} = np.full({operation.shape!r}, {result}, np.{dtype})"]
        left = tuple(n for a, n in enumerate(shape) if a not in axes)
        if dtype == "float32":
            result = f"({result}).astype(np.float32)"
        if left != operation.shape:
            result = f"({result}).reshape({operation.shape!r})"
        return [f"v{number} = {result}"]
