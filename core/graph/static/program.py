"""What a traced function does, as data: values numbered in the order in which they are computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ...text_table import text_table


# No tuple, as the others are: a tuple among the arguments is one of axes, or of a key.
@dataclass(frozen=True)
class Slot:
    """In an operation's arguments: the value of that number."""

    number: int


class Input(NamedTuple):
    """An argument of the function."""

    shape: tuple[int, ...]
    dtype: Any


class Constant(NamedTuple):
    """An array from around the function: itself, not a copy, so that it may be written to.

    A number of NumPy's stays a number: CuPy takes those beside its arrays, but no array of NumPy's.

    `is_own`: made while the function was traced, and nobody else's.
    """

    value: Any
    is_own: bool

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.value.shape)

    @property
    def dtype(self) -> Any:
        return self.value.dtype


class Operation(NamedTuple):
    """One step: a function of earlier values.

    Attributes
    ----------
    name : str
        Of the namespace.
    function : callable
        On plain arrays.
    arguments : tuple
        `Slot`s, numbers, axes and the like; slots also within tuples and lists.
    options : dict
        The arguments that have names.
    shape, dtype
        Of the result.
    kind : {"listed", "unlisted", "opaque"}
        As in `tracer.record`.
    """

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    shape: tuple[int, ...]
    dtype: Any
    kind: str


Value = Input | Constant | Operation


@dataclass
class Program:
    """Values, and which of them come out.

    Attributes
    ----------
    values : list of Input, Constant and Operation
        Inputs first; each operation after what it needs.
    results : tuple of Slot, or of arrays and numbers that no argument changes
    n_traced, n_shared, n_dropped : int
        Operations that the function asked for; of them, those computed already or changing nothing;
        those that no result needs.
    """

    values: list[Value] = field(default_factory=list)
    results: tuple[Any, ...] = ()
    n_traced: int = 0
    n_shared: int = 0
    n_dropped: int = 0

    @property
    def operations(self) -> list[Operation]:
        """The steps that are left."""
        return [value for value in self.values if isinstance(value, Operation)]

    @property
    def n_inputs(self) -> int:
        """How many arrays go in."""
        return sum(isinstance(value, Input) for value in self.values)

    @property
    def constants(self) -> list[Any]:
        """The arrays from around the function, in order."""
        return [value.value for value in self.values if isinstance(value, Constant)]

    def __str__(self) -> str:
        rows = []
        for number, value in enumerate(self.values):
            what = written(value) if isinstance(value, Operation) else type(value).__name__.lower()
            rows.append((f"v{number}", what, str(value.shape), str(value.dtype)))
        table = text_table(("value", "how", "shape", "dtype"), rows)
        returned = ", ".join(str(written_argument(result)) for result in self.results)
        return (
            f"{table}\nreturns {returned}\n{self.n_traced} operations traced, {self.n_shared} "
            f"computed already or changing nothing, {self.n_dropped} not needed, "
            f"{len(self.operations)} left"
        )


def written_argument(value: Any) -> str:
    """An argument as people read it."""
    if isinstance(value, Slot):
        return f"v{value.number}"
    if isinstance(value, tuple):
        return f"({', '.join(written_argument(child) for child in value)})"
    if isinstance(value, slice):
        parts = ["" if part is None else str(part) for part in (value.start, value.stop)]
        return ":".join(parts if value.step is None else [*parts, str(value.step)])
    return str(value)


def written(operation: Operation) -> str:
    """An operation as people read it: name(arguments)."""
    parts = [written_argument(argument) for argument in operation.arguments]
    parts += [f"{key}={written_argument(value)}" for key, value in operation.options.items()]
    return f"{operation.name}({', '.join(parts)})"


def slots_in(value: Any) -> list[Slot]:
    """The slots in an argument, or in a tuple, list or dict of them."""
    if isinstance(value, Slot):
        return [value]
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, tuple | list):
        return [slot for child in value for slot in slots_in(child)]
    return []
