"""Functions made of others, and what stands in the place of functions that no rule knows.

On plain arrays all of these are the library's own functions, with whatever they take.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from .node import Box
from .primitive import shape_of
from .tracer import Tracer, record


def has_box(value: Any) -> bool:
    """Whether a box lies in an argument, or in a list, tuple or dict of them."""
    if isinstance(value, Box):
        return True
    if isinstance(value, dict):
        return any(has_box(child) for child in value.values())
    return isinstance(value, tuple | list) and any(has_box(child) for child in value)


def is_traced(value: Any) -> bool:
    """Whether all boxes in an argument stand for plain arrays, in a program that is traced."""
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, tuple | list):
        return all(is_traced(child) for child in value)
    return not isinstance(value, Box) or isinstance(value, Tracer)


def on_boxes(function: Callable[..., Any], space: Any, own: Callable[..., Any]) -> Any:
    """`function` of (space, ...) where a box is among the arguments, else the library's own."""

    @functools.wraps(function)
    def either(*arguments: Any, **options: Any) -> Any:
        if has_box(arguments) or has_box(options):
            return function(space, *arguments, **options)
        return own(*arguments, **options)

    return either


class Unlisted:
    """A function or module of the library that no rule knows: on plain arrays it is as it was."""

    def __init__(self, name: str, thing: Any, listed: dict[str, Any] | None = None) -> None:
        self._name, self._thing, self._listed = name, thing, listed or {}

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        if has_box(arguments) or has_box(options):
            if is_traced((arguments, options)):
                return record(self._name, self._thing, arguments, options, "unlisted")
            message = (
                f"{self._name} was given a node, and the graph does not know its derivative. "
                "Write it with functions that the graph knows, or give its derivative by "
                "custom_vjp or custom_jvp; where none is wanted, compute it from plain arrays."
            )
            raise TypeError(message)
        return self._thing(*arguments, **options)

    def __getattr__(self, name: str) -> Any:
        if name in self._listed:
            return self._listed[name]
        return unlisted(f"{self._name}.{name}", getattr(self._thing, name))

    def __repr__(self) -> str:
        return f"<{self._name}, of plain arrays>"


def unlisted(name: str, thing: Any) -> Any:
    """What a library has under a name; its functions refuse nodes."""
    hidden = name.rpartition(".")[2].startswith("_")
    is_module = type(thing).__name__ == "module"
    # Types, among them the dtypes of NumPy and JAX, make no derivative.
    if hidden or isinstance(thing, type) or not (callable(thing) or is_module):
        return thing
    return Unlisted(name, thing)


def _n_reduced(x: Any, axis: Any) -> int:
    shape = shape_of(x)
    axes = range(len(shape)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return math.prod(shape[a] for a in axes)


def var(
    s: Any, x: Any, axis: Any = None, *, correction: float = 0.0, ddof: float = 0.0,
    keepdims: bool = False,
) -> Any:  # fmt: skip
    """The variance; `correction` is the standard's name for NumPy's `ddof`."""
    apart = x - s.mean(x, axis=axis, keepdims=True)
    total = s.sum(apart * apart, axis=axis, keepdims=keepdims)
    return total / (_n_reduced(x, axis) - (correction or ddof))


def std(s: Any, x: Any, axis: Any = None, **options: Any) -> Any:
    """The root of the variance; where that is 0 it has no derivative."""
    return s.sqrt(var(s, x, axis, **options))


def prod(s: Any, x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """The product by halves, in log n steps: right also where numbers are 0."""
    ndim = len(shape_of(x))
    axes = tuple(range(ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    # From the last to the first, so that the numbers of those to come stay.
    for one in sorted((a % ndim for a in axes), reverse=True):
        x = _prod_along(s, x, one, keepdims)
    return x


def _prod_along(s: Any, x: Any, axis: int, keepdims: bool) -> Any:
    before = (slice(None),) * axis
    while x.shape[axis] > 1:
        half, odd = divmod(x.shape[axis], 2)
        product = x[(*before, slice(0, half))] * x[(*before, slice(half, 2 * half))]
        x = s.concat([product, x[(*before, slice(2 * half, None))]], axis=axis) if odd else product
    if x.shape[axis] == 0:
        # Of no numbers it is 1.
        return s.sum(x, axis=axis, keepdims=keepdims) + 1.0
    return x if keepdims else s.squeeze(x, axis=axis)


def take(s: Any, x: Any, indices: Any, axis: int | None = None) -> Any:
    """x at integers along an axis; without one, NumPy's: of all numbers in a row."""
    if axis is None:
        x, axis = (x, 0) if x.ndim == 1 else (s.reshape(x, (-1,)), 0)
    indices = indices if isinstance(indices, Box) else s._xp.asarray(indices)
    return s._take(x, indices, axis=axis)


def _square_mask(s: Any, x: Any, which: str, k: int) -> Any:
    ones = s._xp.ones(shape_of(x)[-2:], dtype=s._xp.bool)
    return getattr(s._xp, which)(ones, k=k)


def tril(s: Any, x: Any, k: int = 0) -> Any:
    """The lower triangle."""
    return s.where(_square_mask(s, x, "tril", k), x, 0.0)


def triu(s: Any, x: Any, k: int = 0) -> Any:
    """The upper triangle."""
    return s.where(_square_mask(s, x, "triu", k), x, 0.0)


def diagonal(s: Any, x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """NumPy's: of the first two axes, or two others; the last axis of the result is along it."""
    first, second = _two_axes("diagonal", x, axis1, axis2)
    rest = [axis for axis in range(x.ndim) if axis not in (first, second)]
    return _last_diagonal(s, s.permute_dims(x, (*rest, first, second)), offset)


def trace(s: Any, x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """NumPy's: the sum of that diagonal."""
    _two_axes("trace", x, axis1, axis2)
    return s.sum(diagonal(s, x, offset, axis1, axis2), axis=-1)


def linalg_diagonal(s: Any, x: Any, *, offset: int = 0) -> Any:
    """The standard's: of the last two axes, so that a stack of matrices has a stack of them."""
    return diagonal(s, x, offset, *_two_axes("linalg.diagonal", x, -2, -1))


def linalg_trace(s: Any, x: Any, *, offset: int = 0) -> Any:
    """The standard's: the sum of that diagonal."""
    return trace(s, x, offset, *_two_axes("linalg.trace", x, -2, -1))


def _last_diagonal(s: Any, x: Any, offset: int) -> Any:
    *rest, rows, columns = shape_of(x)
    start = offset if offset >= 0 else -offset * columns
    n = max(min(rows + min(offset, 0), columns - max(offset, 0)), 0)
    # One beyond the last entry, since the standard lets no slice reach past the end.
    stop = start + (n - 1) * (columns + 1) + 1
    flat = s.reshape(x, (*rest, rows * columns))
    return flat[..., start : stop : columns + 1] if n else flat[..., :0]


def _two_axes(who: str, x: Any, axis1: int, axis2: int) -> tuple[int, int]:
    ndim = x.ndim
    inside = all(-ndim <= axis < ndim for axis in (axis1, axis2))
    if ndim < 2 or not inside or (axis1 - axis2) % ndim == 0:
        message = (
            f"{who} of a node was asked of the axes {axis1} and {axis2} of an array of shape "
            f"{x.shape}. Give a matrix, or an array with these two axes."
        )
        raise ValueError(message)
    return axis1 % ndim, axis2 % ndim


def norm(s: Any, x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """The root of the sum of squares; at 0 it has no derivative."""
    of_matrix = isinstance(axis, tuple) or (axis is None and x.ndim > 1)
    if ord not in (None, "fro", 2) or (ord == 2 and of_matrix) or (ord == "fro" and not of_matrix):
        message = (
            f"linalg.norm of a node was asked for ord={ord!r} of an array of shape {x.shape}. The "
            "graph knows the root of the sum of squares: leave ord out, or write the norm with "
            "xp.sum, xp.max and xp.abs."
        )
        raise ValueError(message)
    return s.sqrt(s.sum(x * x, axis=axis, keepdims=keepdims))


def vector_norm(s: Any, x: Any, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """The standard's name, for all numbers whatever the shape."""
    return norm(s, x, None if ord == 2 else ord, axis, keepdims)


COMPOSED: dict[str, Any] = {
    "var": var, "std": std, "prod": prod, "take": take, "tril": tril, "triu": triu,
    "diagonal": diagonal, "trace": trace,
}  # fmt: skip
LINALG: dict[str, Any] = {
    "norm": norm, "vector_norm": vector_norm, "diagonal": linalg_diagonal, "trace": linalg_trace,
}  # fmt: skip
