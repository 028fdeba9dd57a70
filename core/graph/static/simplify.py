"""From a tape to a program: what is computed twice is computed once, what changes nothing is left
out, and so is what no result needs. None of that changes a number that comes out.
"""

from __future__ import annotations

from typing import Any

from ..tracer import Tape, Tracer
from .program import Constant, Input, Operation, Program, Slot, Value, slots_in


class _Builder:
    """Turns a tape into a program; each step that is the same as an earlier one is that one."""

    def __init__(self, tape: Tape, n_arguments: int) -> None:
        self.tape = tape
        self.program = Program()
        self._constants: dict[int, Slot] = {}
        self._held: list[Any] = []
        self._known: dict[Any, Slot] = {}
        # From the number of a step to its value; inputs come first in both.
        self._slots: dict[int, Slot] = {k: Slot(k) for k in range(n_arguments)}

    def _add(self, value: Value) -> Slot:
        self.program.values.append(value)
        return Slot(len(self.program.values) - 1)

    def argument(self, value: Any) -> Any:
        """With slots for tracers and for arrays."""
        if isinstance(value, Tracer):
            return self._slots[value.slot] if value.slot is not None else self._own(value.value)
        if isinstance(value, tuple):
            return tuple(self.argument(child) for child in value)
        if isinstance(value, list):
            return [self.argument(child) for child in value]
        is_array = hasattr(value, "dtype") and hasattr(value, "shape")
        return self._constant(value) if is_array and not isinstance(value, type) else value

    def _own(self, value: Any) -> Slot:
        return self._constant(value, is_own=True)

    def _constant(self, value: Any, is_own: bool = False) -> Slot:
        # By identity: it is held, so no other array gets its id meanwhile.
        if id(value) not in self._constants:
            self._constants[id(value)] = self._add(Constant(value, is_own))
            self._held.append(value)
        return self._constants[id(value)]

    def step(self, number: int, step: Any) -> None:
        name, function, arguments, options, value, kind = step
        arguments = self.argument(arguments)
        options = {key: self.argument(option) for key, option in options.items()}
        operation = Operation(
            name, function, arguments, options, tuple(value.shape), value.dtype, kind
        )
        self.program.n_traced += 1
        found = _nothing_done(operation, self.program.values)
        if found is None:
            # A function that no rule knows may draw random numbers, or change what it is given.
            key = _key(operation) if kind == "listed" else None
            found = self._known.get(key) if key is not None else None
            if found is None:
                self._slots[number] = self._add(operation)
                if key is not None:
                    self._known[key] = self._slots[number]
                return
        self.program.n_shared += 1
        self._slots[number] = found


def _nothing_done(operation: Operation, values: list[Value]) -> Slot | None:
    """The argument that an operation returns as it is; None where it does something."""
    slots = [slot for slot in operation.arguments if isinstance(slot, Slot)]

    def kept(slot: Slot) -> Slot | None:
        given = values[slot.number]
        same = given.shape == operation.shape and given.dtype == operation.dtype
        return slot if same else None

    if operation.name in {"reshape", "broadcast_to", "astype", "positive"} and slots:
        return kept(slots[0])
    if operation.name in {"multiply", "divide"} and len(operation.arguments) == 2:
        first, second = operation.arguments
        if isinstance(first, Slot) and _is_one(second, values):
            return kept(first)
        if operation.name == "multiply" and isinstance(second, Slot) and _is_one(first, values):
            return kept(second)
    return None


def _is_one(value: Any, values: list[Value]) -> bool:
    if isinstance(value, Slot):
        # Such as the seed of a gradient; an array of the user's may be written to.
        held = values[value.number]
        if isinstance(held, Operation) and held.name == "broadcast_to":
            return _is_one(held.arguments[0], values)
        if not (isinstance(held, Constant) and held.is_own and set(held.shape) <= {1}):
            return False
        return bool(held.value[(0,) * len(held.shape)] == 1)
    return isinstance(value, int | float) and value == 1


def _key(operation: Operation) -> Any:
    """What two operations have in common that compute the same; None where it cannot be told."""
    try:
        key = (operation.name, operation.function, _frozen(operation.arguments),
               _frozen(operation.options))  # fmt: skip
        hash(key)
    except TypeError:
        return None
    return key


def _frozen(value: Any) -> Any:
    if isinstance(value, Slot):
        return value
    if isinstance(value, dict):
        return tuple(sorted((key, _frozen(child)) for key, child in value.items()))
    if isinstance(value, tuple | list):
        return (type(value), *(_frozen(child) for child in value))
    if isinstance(value, slice):
        return ("slice", *(_frozen(part) for part in (value.start, value.stop, value.step)))
    # 1, 1.0 and True are equal, and so are 0.0 and -0.0, but not what is computed from them.
    return (type(value), repr(value)) if isinstance(value, bool | int | float) else value


def program_of(tape: Tape, n_arguments: int, results: list[Any]) -> Program:
    """The simplified program of a tape.

    Parameters
    ----------
    tape : Tape
        Its first steps are the arguments.
    n_arguments : int
    results : list
        Tracers, and arrays or numbers that do not depend on the arguments.
    """
    builder = _Builder(tape, n_arguments)
    for value in tape.arguments:
        builder.program.values.append(Input(tuple(value.shape), value.dtype))
    for number, step in enumerate(tape.steps):
        if step is not None:
            builder.step(number, step)
    builder.program.results = tuple(
        builder.argument(result) if isinstance(result, Tracer) else result for result in results
    )
    return _without_unneeded(builder.program)


def _without_unneeded(program: Program) -> Program:
    needed = {slot.number for slot in slots_in(program.results)}
    for number in range(len(program.values) - 1, -1, -1):
        value = program.values[number]
        if number in needed and isinstance(value, Operation):
            needed |= {slot.number for slot in slots_in((value.arguments, value.options))}
    kept: list[Value] = []
    moved: dict[int, Slot] = {}
    for number, value in enumerate(program.values):
        if number in needed or isinstance(value, Input):
            moved[number] = Slot(len(kept))
            if isinstance(value, Operation):
                value = value._replace(
                    arguments=_moved(value.arguments, moved), options=_moved(value.options, moved)
                )
            kept.append(value)
    left = sum(isinstance(value, Operation) for value in kept)
    return Program(
        kept,
        _moved(program.results, moved),
        program.n_traced,
        program.n_shared,
        program.n_traced - program.n_shared - left,
    )


def _moved(value: Any, moved: dict[int, Slot]) -> Any:
    if isinstance(value, Slot):
        return moved[value.number]
    if isinstance(value, dict):
        return {key: _moved(child, moved) for key, child in value.items()}
    if isinstance(value, tuple):
        return tuple(_moved(child, moved) for child in value)
    if isinstance(value, list):
        return [_moved(child, moved) for child in value]
    return value
