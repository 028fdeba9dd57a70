"""Python source of a program: one line an operation, on any array library."""

from __future__ import annotations

import keyword
from collections.abc import Callable
from typing import Any

from .program import Operation, Program, Slot

_SIGNS = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "pow": "**", "matmul": "@",
    "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">=", "equal": "==",
    "not_equal": "!=", "bitwise_and": "&", "bitwise_or": "|",
}  # fmt: skip


class _Names:
    """Names for what source cannot spell: functions, dtypes, arrays."""

    def __init__(self) -> None:
        self.bound: dict[str, Any] = {}
        self._known: dict[int, str] = {}

    def of(self, value: Any, stem: str) -> str:
        if id(value) not in self._known:
            name = f"{stem}_{len(self.bound)}"
            self._known[id(value)], self.bound[name] = name, value
        return self._known[id(value)]

    def written(self, value: Any) -> str:
        """Source of an argument."""
        if isinstance(value, Slot):
            return f"v{value.number}"
        if value is None or value is Ellipsis or isinstance(value, bool | str):
            return repr(value)
        if isinstance(value, int) or (isinstance(value, float) and abs(value) < float("inf")):
            return f"({value!r})"
        if isinstance(value, slice):
            parts = ", ".join(self.written(part) for part in (value.start, value.stop, value.step))
            return f"slice({parts})"
        if type(value) is tuple:
            return f"({''.join(self.written(child) + ', ' for child in value)})"
        if isinstance(value, list):
            return f"[{', '.join(self.written(child) for child in value)}]"
        return self.of(value, "thing")


def _line(operation: Operation, names: _Names) -> str:
    sign = _SIGNS.get(operation.name)
    if sign and len(operation.arguments) == 2 and not operation.options:
        first, second = operation.arguments
        return f"{names.written(first)} {sign} {names.written(second)}"
    stem = operation.name.rpartition(".")[2]
    stem = stem if stem.isidentifier() and not keyword.iskeyword(stem) else "function"
    parts = [names.written(argument) for argument in operation.arguments]
    parts += [f"{key}={names.written(value)}" for key, value in operation.options.items()]
    return f"{names.of(operation.function, stem)}({', '.join(parts)})"


def _same_shape(value: Any, shape: tuple[int, ...], name: str) -> Any:
    if tuple(value.shape) == shape:
        return value
    message = (
        f"A compiled function met a result of {name} of shape {tuple(value.shape)}, where it was "
        f"{shape} when the function was traced. The shape depends on the numbers: leave the "
        "function uncompiled."
    )
    raise ValueError(message)


def python_source(program: Program) -> tuple[str, dict[str, Any]]:
    """The source of `run(*inputs, *constants)`, which returns a tuple, and what its names mean.

    Values are let go after their last use.
    """
    names = _Names()
    names.bound["same_shape"] = _same_shape
    # Inputs come first, so those are followed by the constants.
    given = [
        f"v{number}"
        for number, value in enumerate(program.values)
        if not isinstance(value, Operation)
    ]
    lines = [f"def run({', '.join(given)}):"]
    returned = {result.number for result in program.results if isinstance(result, Slot)}
    last: dict[int, list[str]] = {}
    for number, at in program.last_uses().items():
        if number not in returned:
            last.setdefault(at, []).append(f"v{number}")
    for number, value in enumerate(program.values):
        if isinstance(value, Operation):
            line = _line(value, names)
            if value.kind != "listed":
                line = f"same_shape({line}, {value.shape!r}, {value.name!r})"
            lines.append(f"    v{number} = {line}")
        if number in last:
            lines.append(f"    del {', '.join(sorted(last[number]))}")
    parts = [
        f"v{result.number}" if isinstance(result, Slot) else names.of(result, "result")
        for result in program.results
    ]
    lines.append(f"    return ({''.join(part + ', ' for part in parts)})")
    return "\n".join(lines) + "\n", names.bound


def python_function(program: Program) -> Callable[..., tuple[Any, ...]]:
    """The function of that source."""
    source, bound = python_source(program)
    scope = dict(bound)
    exec(compile(source, "<compiled by xpfit>", "exec"), scope)
    run: Callable[..., tuple[Any, ...]] = scope["run"]
    return run
