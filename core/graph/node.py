"""Boxes around values: nodes of a graph (reverse mode) and dual numbers (forward mode).

A transform such as `grad` opens a *level*. The arguments that it differentiates are boxes of that
level; what is computed from them is boxed at that level too, and inside the box lies a plain array,
or a box of a transform further out. An operation takes off the boxes of the innermost level among
its arguments, is computed one level further out, and is recorded where it was taken off. So
transforms nest in any order, and the derivative that one asks for is never taken for that of
another.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from array_api_compat import device

from .messages import missing_attribute, refuse_in_place, refuse_library, refuse_number

# Below variables, which are below all levels of transforms: values of a program that is traced.
TRACE_LEVEL = 0.25

_levels = itertools.count(1)
# The numbers that nodes get, one after the other.
_order: Iterator[int] = itertools.count()


def next_level() -> int:
    """A level further in than all that are open."""
    return next(_levels)


class Box:
    """A value that an open transform follows."""

    __slots__ = ("level", "space", "value")
    __array_priority__ = 1000.0

    level: float
    value: Any
    space: Any  # the namespace over nodes that its operators use

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array inside."""
        return tuple(self.value.shape)

    @property
    def ndim(self) -> int:
        """How many axes the array inside has."""
        return int(self.value.ndim)

    @property
    def size(self) -> int:
        """How many numbers the array inside has."""
        return int(self.value.size)

    @property
    def dtype(self) -> Any:
        """The dtype of the array inside."""
        return self.value.dtype

    @property
    def device(self) -> Any:
        """Where the array inside lives."""
        return device(unboxed(self))

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        # So that code which asks an array for its functions gets those that follow it.
        return self.space

    @property
    def T(self) -> Any:  # noqa: N802 - the array standard's name
        """The transposed matrix."""
        return self.space.matrix_transpose(self)

    def __len__(self) -> int:
        return len(self.value)

    def __add__(self, other: Any) -> Any:
        return self.space.add(self, other)

    def __radd__(self, other: Any) -> Any:
        return self.space.add(other, self)

    def __sub__(self, other: Any) -> Any:
        return self.space.subtract(self, other)

    def __rsub__(self, other: Any) -> Any:
        return self.space.subtract(other, self)

    def __mul__(self, other: Any) -> Any:
        return self.space.multiply(self, other)

    def __rmul__(self, other: Any) -> Any:
        return self.space.multiply(other, self)

    def __truediv__(self, other: Any) -> Any:
        return self.space.divide(self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return self.space.divide(other, self)

    def __pow__(self, other: Any) -> Any:
        return self.space.pow(self, other)

    def __rpow__(self, other: Any) -> Any:
        return self.space.pow(other, self)

    def __matmul__(self, other: Any) -> Any:
        return self.space.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return self.space.matmul(other, self)

    def __neg__(self) -> Any:
        return self.space.negative(self)

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return self.space.abs(self)

    def __getitem__(self, key: Any) -> Any:
        return self.space.getitem(self, key)

    # What is compared is followed by nobody: a comparison has no derivative.
    def __lt__(self, other: Any) -> Any:
        return unboxed(self) < unboxed(other)

    def __le__(self, other: Any) -> Any:
        return unboxed(self) <= unboxed(other)

    def __gt__(self, other: Any) -> Any:
        return unboxed(self) > unboxed(other)

    def __ge__(self, other: Any) -> Any:
        return unboxed(self) >= unboxed(other)

    def __eq__(self, other: object) -> Any:
        return unboxed(self) == unboxed(other)

    def __ne__(self, other: object) -> Any:
        return unboxed(self) != unboxed(other)

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        return bool(unboxed(self))

    def __float__(self) -> float:
        return float(self._number("float"))

    def __int__(self) -> int:
        return int(self._number("int"))

    def _number(self, kind: str) -> Any:
        # A variable's number may be looked at; within a transform it would be taken for a constant.
        if self.level >= 1:
            refuse_number(kind)
        return unboxed(self)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        # numpy.exp(x), and array * x, which NumPy asks of itself first.
        function = getattr(self.space, ufunc.__name__, None)
        if method != "__call__" or options or function is None or function is ufunc:
            refuse_library(f"numpy.{ufunc.__name__}")
        return function(*inputs)

    def __array__(self, *_: Any, **__: Any) -> Any:
        refuse_library("A function of arrays")

    def __getattr__(self, name: str) -> Any:
        raise missing_attribute(type(self).__name__, name)

    def __setitem__(self, key: Any, value: Any) -> None:
        refuse_in_place("x[...] = y")

    def __iadd__(self, other: Any) -> Any:
        refuse_in_place("x += y")

    def __isub__(self, other: Any) -> Any:
        refuse_in_place("x -= y")

    def __imul__(self, other: Any) -> Any:
        refuse_in_place("x *= y")

    def __itruediv__(self, other: Any) -> Any:
        refuse_in_place("x /= y")

    def __ipow__(self, other: Any) -> Any:
        refuse_in_place("x **= y")

    def __imatmul__(self, other: Any) -> Any:
        refuse_in_place("x @= y")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({unboxed(self)!r})"


class Node(Box):
    """A value of reverse mode, and how it came about."""

    __slots__ = ("arguments", "key", "options", "parents", "primitive")

    def __init__(
        self,
        value: Any,
        level: float,
        space: Any,
        primitive: Any = None,
        arguments: tuple[Any, ...] = (),
        options: dict[str, Any] | None = None,
        parents: tuple[tuple[int, Node], ...] = (),
    ) -> None:
        self.value, self.level, self.space = value, level, space
        # Numbered in the order in which they were made: each after those that it came from.
        self.key = next(_order)
        self.primitive, self.arguments, self.options = primitive, arguments, options
        self.parents = parents

    def backward(self, gradient: Any = None) -> None:
        """See `variable.backward`."""
        from .variable import backward

        backward(self, gradient)


class Dual(Box):
    """A value of forward mode, and its derivative along a direction."""

    __slots__ = ("tangent",)

    def __init__(self, value: Any, tangent: Any, level: float, space: Any) -> None:
        self.value, self.tangent, self.level, self.space = value, tangent, level, space


def unboxed(value: Any) -> Any:
    """The plain array within all boxes, or what stands for it where a program is traced."""
    while isinstance(value, Box) and value.level > TRACE_LEVEL:
        value = value.value
    return value


class _Recording(threading.local):
    on = True


# Whether `Variable`s are followed: each thread for itself.
recording = _Recording()


class _Calling:
    """The same numbers, and a call of a function for each."""

    def __init__(self, numbers: Iterator[int], function: Callable[[], None]) -> None:
        self._numbers, self._function = numbers, function

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        self._function()
        return next(self._numbers)


@contextmanager
def each_node_calls(function: Callable[[], None]) -> Iterator[None]:
    """Within it function() is called for every node that is made, in any thread.

    It stands where nodes get their numbers, so that at other times nothing is asked for a node.
    One at a time: the caller sees to that.
    """
    global _order
    before, _order = _order, _Calling(_order, function)
    try:
        yield
    finally:
        _order = before
