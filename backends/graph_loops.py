"""Writes the loops of a static graph for Numba.

Sums over the entries of a loop are formed in it, by blocks, so that neither the entries are stored
nor long sums lose digits.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .graph_expressions import Names, expression, sines_and_cosines
from .graph_schedule import Loop

# Entries that are summed at a time: two of such blocks stay in the nearest cache.
BLOCK = 512


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
