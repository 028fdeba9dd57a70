"""Groups the element-wise steps of a static graph into loops, for whoever writes them.

A program (`core.graph.static.program`) is a list of numbered values. Steps of one shape that can be
computed together become one loop: whatever lies between them stays in registers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .graph_expressions import DTYPES, FLOATS, is_elementwise

Test = Callable[[Any], bool]
REDUCTIONS = ("sum", "mean", "max", "min")


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


def needs_of(operation: Any) -> list[int]:
    """The numbers of the values that a step takes, by position and by name."""
    return slots_of((operation.arguments, tuple(operation.options.values())))


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

    def __init__(self, values: list[Any], is_member: Test, is_sum: Test) -> None:
        self.values, self._is_member, self._is_sum = values, is_member, is_sum
        self.of: dict[int, int] = {}
        self._in_loops: set[int] = set()
        for number, value in enumerate(values):
            self.of[number] = self._earliest(value) if is_operation(value) else -1
            if is_operation(value) and is_member(value):
                self._in_loops.add(number)
        self._move_what_is_free()

    def loop_shape(self, value: Any) -> tuple[int, ...] | None:
        """The shape of the loop that computes a value; None for a step by itself."""
        if self._is_member(value):
            return tuple(value.shape)
        if self._is_sum(value):
            return tuple(self.values[slots_of(value.arguments)[0]].shape)
        return None

    def _joins(self, need: int, value: Any) -> bool:
        return need in self._in_loops and self.values[need].shape == self.loop_shape(value)

    def _earliest(self, value: Any) -> int:
        needs = needs_of(value)
        return max((self.of[n] + (not self._joins(n, value)) for n in needs), default=0)

    def _move_what_is_free(self) -> None:
        # What is made of arguments and numbers alone would be a loop of its own before all others,
        # and be stored: it is put off to the loop that needs it first.
        free: set[int] = set()
        for number in sorted(self._in_loops):
            needs = needs_of(self.values[number])
            if all(self.of[n] < 0 or self.values[n].shape == () or n in free for n in needs):
                free.add(number)
        latest: dict[int, int] = {}
        for number in range(len(self.values) - 1, -1, -1):
            value = self.values[number]
            if not is_operation(value):
                continue
            if number in free and value.shape != ():
                self.of[number] = max(self.of[number], latest.get(number, 0))
            for need in needs_of(value):
                last = self.of[number] - (not self._joins(need, value))
                latest[need] = min(last, latest.get(need, last))


def schedule(
    program: Any, is_member: Test = is_elementwise, is_sum: Test = is_reduction
) -> list[Loop | int]:
    """Loops and the numbers of single steps, in an order in which they can be computed.

    `is_member` and `is_sum` tell of an operation whether loops take it.
    """
    stages = _Stages(program.values, is_member, is_sum)
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
        (loop.members if is_member(value) else loop.sums).append(number)
    return [step for _, step in sorted(plan, key=lambda pair: pair[0])]


def kept_members(program: Any, plan: list[Loop | int]) -> set[int]:
    """The members of loops whose entries are needed outside of their loop."""
    home = {n: loop for loop in plan if isinstance(loop, Loop) for n in (*loop.members, *loop.sums)}
    kept = {result.number for result in program.results if hasattr(result, "number")}
    for number, value in enumerate(program.values):
        if is_operation(value):
            own = home.get(number)
            kept |= {need for need in needs_of(value) if home.get(need) is not own}
            if own is None:
                kept |= set(needs_of(value))
    return kept
