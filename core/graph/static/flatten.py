"""Arguments of a compiled function: what its program depends on, and the arrays that go in."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
from array_api_compat import device

from ..namespace import space_of
from ..node import Box


class Flat:
    """Arguments as a key, and the arrays and numbers in them."""

    __slots__ = ("boxed", "found")

    def __init__(self) -> None:
        self.found: list[Any] = []
        self.boxed = False

    def key(self, value: Any, who: str) -> Hashable:
        """What a program depends on; arrays and floats are put aside."""
        if isinstance(value, Box):
            self.boxed = True
            return None
        if isinstance(value, float | np.generic):
            self.found.append(value)
            return (type(value),)
        if hasattr(value, "dtype") and hasattr(value, "shape"):
            self.found.append(value)
            return (type(value), value.shape, value.dtype)
        if value is None or isinstance(value, bool | int | str):
            return (type(value), value)
        if isinstance(value, tuple | list):
            return (type(value), *(self.key(child, who) for child in value))
        if isinstance(value, dict):
            items = tuple((name, self.key(child, who)) for name, child in value.items())
            return (type(value), items)
        message = (
            f"{who} is compiled, and was given an argument of type {type(value).__name__}. It "
            "takes arrays, numbers, str, None, and tuples, lists and dicts of them. Bind anything "
            "else beforehand, with functools.partial or by a function within a function."
        )
        raise TypeError(message)

    def as_arrays(self) -> list[Any]:
        """What was put aside; a number is an array of the library of the arrays beside it.

        A Python float has the widest floating dtype among them, float64 where there is none.
        """
        if not any(isinstance(value, float | np.generic) for value in self.found):
            return self.found
        arrays = [value for value in self.found if not isinstance(value, float | np.generic)]
        if not arrays:
            return [np.asarray(value) for value in self.found]
        xp = space_of(arrays[0])._xp
        floating = [a.dtype for a in arrays if xp.isdtype(a.dtype, "real floating")]
        widest = xp.result_type(*floating) if floating else None
        place = device(arrays[0])

        def converted(value: Any) -> Any:
            if isinstance(value, np.generic):
                return xp.asarray(value.item(), dtype=getattr(xp, value.dtype.name), device=place)
            if isinstance(value, float):
                return xp.asarray(value, dtype=widest or xp.float64, device=place)
            return value

        return [converted(value) for value in self.found]
