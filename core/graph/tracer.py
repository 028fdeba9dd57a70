"""Values of a program that is being written down, for `compile`.

A tracer is a box below all those that are differentiated: it stands where a plain array stands, so
whatever transforms a function uses are written down with it, step by step. It holds the array that
the first call brings, whose shape and dtype are those of all calls to come; its numbers are not, so
whatever would look at them is refused, with the place.
"""

from __future__ import annotations

import operator
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from array_api_compat import device

from .node import TRACE_LEVEL, Box

_PACKAGE = Path(__file__).parent


class TracingError(TypeError):
    """A function that cannot be compiled: what it does depends on the numbers in an array."""


class Tracer(Box):
    """A value of a program; `slot` is its place in the tape, None for a constant."""

    __slots__ = ("slot", "tape")

    def __init__(self, value: Any, space: Any, tape: Tape, slot: int | None) -> None:
        self.value, self.level, self.space = value, TRACE_LEVEL, space
        self.tape, self.slot = tape, slot

    @property
    def device(self) -> Any:
        """Where the arrays are."""
        return device(self.value)

    def __lt__(self, other: Any) -> Any:
        return record("less", operator.lt, (self, other))

    def __le__(self, other: Any) -> Any:
        return record("less_equal", operator.le, (self, other))

    def __gt__(self, other: Any) -> Any:
        return record("greater", operator.gt, (self, other))

    def __ge__(self, other: Any) -> Any:
        return record("greater_equal", operator.ge, (self, other))

    def __eq__(self, other: object) -> Any:
        return record("equal", operator.eq, (self, other))

    def __ne__(self, other: object) -> Any:
        return record("not_equal", operator.ne, (self, other))

    def __and__(self, other: Any) -> Any:
        return record("bitwise_and", operator.and_, (self, other))

    def __or__(self, other: Any) -> Any:
        return record("bitwise_or", operator.or_, (self, other))

    def __invert__(self) -> Any:
        return record("bitwise_invert", operator.invert, (self,))

    def __mod__(self, other: Any) -> Any:
        return record("remainder", operator.mod, (self, other))

    def __floordiv__(self, other: Any) -> Any:
        return record("floor_divide", operator.floordiv, (self, other))

    __rand__, __ror__ = __and__, __or__
    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        self._stop("the way that is taken depends", "Write it with xp.where")

    def _number(self, kind: str) -> Any:
        self._stop(f"{kind}() of it depends", "Keep it an array")

    def __index__(self) -> int:
        self._stop("an index depends", "Use xp.take, or indices that are arrays")

    def _stop(self, what: str, remedy: str) -> NoReturn:
        message = (
            f"compile was asked for a function in which {what} on the numbers in an array "
            f"({place()}). A compiled function is traced once for all numbers of a shape and a "
            f"dtype. {remedy}, pass what decides as an int, a bool or a str, or leave the function "
            "uncompiled."
        )
        raise TracingError(message)

    def __repr__(self) -> str:
        return f"Tracer(shape={self.shape}, dtype={self.dtype})"


class Tape:
    """What a traced function did, in order.

    Attributes
    ----------
    arguments : list of arrays
        Those of the function.
    steps : list
        None for an argument of the function, else (name, function, arguments, options, value,
        kind); in its arguments tracers stand for earlier steps.
    """

    def __init__(self) -> None:
        self.arguments: list[Any] = []
        self.steps: list[Any] = []
        self.is_open = True

    def argument(self, value: Any, space: Any) -> Tracer:
        """A tracer for an argument of the function."""
        self.arguments.append(value)
        self.steps.append(None)
        return Tracer(value, space, self, len(self.steps) - 1)


def concrete(value: Any) -> Any:
    """The arrays in the place of tracers, in an argument or in a tuple, list or slice of them."""
    if isinstance(value, Tracer):
        return value.value
    if isinstance(value, tuple):
        return tuple(concrete(child) for child in value)
    if isinstance(value, list):
        return [concrete(child) for child in value]
    return value


def tracers_in(value: Any) -> list[Tracer]:
    """The tracers in an argument."""
    if isinstance(value, Tracer):
        return [value]
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, tuple | list):
        return [tracer for child in value for tracer in tracers_in(child)]
    return []


def record(
    name: str,
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    options: dict[str, Any] | None = None,
    kind: str = "listed",
) -> Any:
    """A step of the program, and its value.

    Parameters
    ----------
    name, function, arguments, options
        As of a `Primitive`.
    kind : {"listed", "unlisted", "opaque"}
        Whether the shape of the result follows from those of the arguments, may depend on their
        numbers, or the function may do with arrays whatever it likes.
    """
    options = {key: _plain(value) for key, value in (options or {}).items()}
    keyed = name in {"getitem", "put"}
    arguments = tuple(
        _plain(value) if isinstance(value, tuple | list | slice) or (keyed and i) else value
        for i, value in enumerate(arguments)
    )
    found = tracers_in((arguments, options))
    if keyed and _has_mask(name, arguments[1]):
        kind = "unlisted"  # whoever wrote the mask may write to it again
    plain_options = {key: concrete(value) for key, value in options.items()}
    value = function(*concrete(arguments), **plain_options)
    first = found[0]
    if all(tracer.slot is None for tracer in found) and name != "broadcast_to":
        # Of the program's own constants; spread over a shape they are better left single numbers.
        return Tracer(value, first.space, first.tape, None)
    tape = next((tracer.tape for tracer in found if tracer.slot is not None), first.tape)
    if not tape.is_open or any(t.tape is not tape for t in found if t.slot is not None):
        message = (
            f"{name} was given a value that a compiled function left behind while it was traced "
            f"({place()}). Return it from the function; what is put into a global or an attribute "
            "has no numbers."
        )
        raise TracingError(message)
    if value is NotImplemented:
        return value
    if not hasattr(value, "dtype"):
        message = (
            f"compile was asked for a function that calls {name} ({place()}), which returned "
            f"{type(value).__name__}, and not one array whose shape is known beforehand. Leave the "
            "function uncompiled, or compute that outside of it."
        )
        raise TracingError(message)
    tape.steps.append((name, function, arguments, options, value, kind))
    return Tracer(value, first.space, tape, len(tape.steps) - 1)


def _plain(value: Any) -> Any:
    """Axes, shapes and keys in Python's integers: NumPy's would be taken for arrays."""
    if isinstance(value, np.integer | np.bool_):
        return value.item()
    if type(value) is tuple:
        return tuple(_plain(child) for child in value)
    if type(value) is list:
        return [_plain(child) for child in value]
    if isinstance(value, slice):
        return slice(_plain(value.start), _plain(value.stop), _plain(value.step))
    return value


def _has_mask(name: str, key: Any) -> bool:
    """Whether an array of bool is in a key; one that depends on the arguments is refused."""
    if any("bool" in str(tracer.dtype) for tracer in tracers_in(key)):
        message = (
            f"compile was asked for a function that takes the entries where a mask is true "
            f"({place()}): how many there are depends on the numbers in an array. Write it with "
            "xp.where, or leave the function uncompiled."
        )
        raise TracingError(message)
    parts = key if isinstance(key, tuple) else (key,)
    return any("bool" in str(getattr(part, "dtype", "")) for part in parts)


def constant(value: Any, like: Tracer) -> Tracer:
    """An array of the program itself."""
    return Tracer(value, like.space, like.tape, None)


def place() -> str:
    """Where the user's code is now: the innermost line outside of this package."""
    for frame in reversed(traceback.extract_stack()):
        path = Path(frame.filename)
        if _PACKAGE not in path.parents and "numpy" not in path.parts:
            line = f": {frame.line}" if frame.line else ""
            return f"{path.name}, line {frame.lineno}, in {frame.name}{line}"
    return "at the prompt"
