"""Python source of a program: one line an operation, on any array library."""

from __future__ import annotations

import keyword
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from .program import Operation, Program, Slot, slots_in

_SIGNS = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "pow": "**", "matmul": "@",
    "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">=", "equal": "==",
    "not_equal": "!=", "bitwise_and": "&", "bitwise_or": "|",
}  # fmt: skip


class FusedSteps(Protocol):
    """Operations that a backend computes by one call.

    Attributes
    ----------
    needs, makes : tuple of int
        The numbers of the values that it takes, in order, and of those that it returns.
    """

    needs: tuple[int, ...]
    makes: tuple[int, ...]

    def __call__(self, *arrays: Any) -> tuple[Any, ...]:
        """The values that are made."""


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


def _last_uses(program: Program, plan: Sequence[int | FusedSteps]) -> dict[int, list[str]]:
    """The names of the values that no later step needs, by the place of a step in the plan."""
    last: dict[int, int] = {}
    for place, step in enumerate(plan):
        if isinstance(step, int):
            operation: Any = program.values[step]
            needs = [slot.number for slot in slots_in((operation.arguments, operation.options))]
        else:
            needs = [*step.needs]
        last |= dict.fromkeys(needs, place)
    returned = {slot.number for slot in slots_in(program.results)}
    found: dict[int, list[str]] = {}
    for number, place in sorted(last.items()):
        if number not in returned:
            found.setdefault(place, []).append(f"v{number}")
    return found


def python_source(
    program: Program, plan: Sequence[int | FusedSteps] | None = None
) -> tuple[str, dict[str, Any]]:
    """The source of `run(*inputs, *constants)`, which returns a tuple, and what its names mean.

    Values are let go after their last use.

    Parameters
    ----------
    program : Program
    plan : sequence of int and FusedSteps, or None
        The numbers of operations, and what stands for several, in the order in which they run.
        None: each operation by itself.
    """
    values, names = program.values, _Names()
    names.bound["same_shape"] = _same_shape
    # Inputs come first, so those are followed by the constants.
    given = [f"v{n}" for n, value in enumerate(values) if not isinstance(value, Operation)]
    if plan is None:
        plan = [n for n, value in enumerate(values) if isinstance(value, Operation)]
    lines = [f"def run({', '.join(given)}):"]
    last = _last_uses(program, plan)
    for place, step in enumerate(plan):
        if isinstance(step, int):
            operation: Any = values[step]
            line = _line(operation, names)
            if operation.kind != "listed":
                line = f"same_shape({line}, {operation.shape!r}, {operation.name!r})"
            lines.append(f"    v{step} = {line}")
        else:
            made = "".join(f"v{number}, " for number in step.makes)
            taken = ", ".join(f"v{number}" for number in step.needs)
            lines.append(f"    {made}= {names.of(step, 'loop')}({taken})")
        if place in last:
            lines.append(f"    del {', '.join(last[place])}")
    parts = [
        f"v{result.number}" if isinstance(result, Slot) else names.of(result, "result")
        for result in program.results
    ]
    lines.append(f"    return ({''.join(part + ', ' for part in parts)})")
    return "\n".join(lines) + "\n", names.bound


def python_function(
    program: Program, plan: Sequence[int | FusedSteps] | None = None
) -> Callable[..., tuple[Any, ...]]:
    """The function of that source."""
    source, bound = python_source(program, plan)
    scope = dict(bound)
    exec(compile(source, "<compiled by xpfit>", "exec"), scope)
    run: Callable[..., tuple[Any, ...]] = scope["run"]
    return run
