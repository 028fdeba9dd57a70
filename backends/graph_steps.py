"""Source of the steps of a static graph that are no loops: products, shapes, pieces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .graph_expressions import DTYPES, FLOATS

Writer = Callable[[int, Any, list[Any]], list[str]]


class NotWritableError(Exception):
    """A step that compiled code cannot do, or not safely."""


def _need(holds: bool) -> None:
    if not holds:
        raise NotWritableError


def _argument(argument: Any) -> str:
    _need(hasattr(argument, "number"))
    return f"v{argument.number}"


def _shape(values: list[Any], argument: Any) -> tuple[int, ...]:
    _need(hasattr(argument, "number"))
    shape: tuple[int, ...] = values[argument.number].shape
    return shape


def _matmul(number: int, operation: Any, values: list[Any]) -> list[str]:
    a, b = operation.arguments
    _need(all(len(_shape(values, x)) in (1, 2) for x in (a, b)))
    _need(all(values[x.number].dtype == operation.dtype for x in (a, b)))
    _need(operation.dtype.name in FLOATS)
    ndims = len(_shape(values, a)), len(_shape(values, b))
    if ndims == (2, 1):
        return [f"v{number} = matrix_vector({_argument(a)}, {_argument(b)})"]
    if ndims == (1, 2):
        return [f"v{number} = matrix_vector({_argument(b)}.T, {_argument(a)})"]
    return [f"v{number} = product({_argument(a)}, {_argument(b)})"]


def _reshaped(number: int, operation: Any, values: list[Any]) -> list[str]:
    source = operation.arguments[0]
    name, old, new = _argument(source), _shape(values, source), operation.shape
    if new == ():
        return [
            f"v{number} = {name}[{', '.join('0' for _ in old)}]" if old else f"v{number} = {name}"
        ]
    if old == ():
        return [f"v{number} = np.full({new!r}, {name}, np.{operation.dtype.name})"]
    return [f"v{number} = np.ascontiguousarray({name}).reshape({new!r})"]


def _transposed(number: int, operation: Any, values: list[Any]) -> list[str]:
    _need(len(operation.shape) == 2)
    return [f"v{number} = {_argument(operation.arguments[0])}.T"]


def _permuted(number: int, operation: Any, values: list[Any]) -> list[str]:
    axes = operation.options.get("axes", operation.arguments[1:2])
    axes = axes[0] if axes and isinstance(axes[0], tuple) else axes
    axes = tuple(a % len(operation.shape) for a in axes)
    return [f"v{number} = np.transpose({_argument(operation.arguments[0])}, {axes!r})"]


def _key(given: Any, ndim: int) -> tuple[list[Any], bool]:
    """Ints and slices for all axes, and whether new axes were asked for."""
    parts = list(given) if isinstance(given, tuple) else [given]
    # Arrays of indices are not looked at by compiled code: one out of bounds would read anywhere.
    _need(all(p is None or p is Ellipsis or type(p) in (int, slice) for p in parts))
    own = [p for p in parts if p is not None]
    if Ellipsis in own:
        at = own.index(Ellipsis)
        own[at : at + 1] = [slice(None)] * (ndim - len(own) + 1)
    own += [slice(None)] * (ndim - len(own))
    return own, len(own) < len(parts) or None in parts


def _written_key(key: list[Any]) -> str:
    def part(p: Any) -> str:
        if isinstance(p, int):
            return str(p)
        ends = ["" if x is None else str(int(x)) for x in (p.start, p.stop)]
        return ":".join(ends if p.step is None else [*ends, str(int(p.step))])

    return ", ".join(part(p) for p in key)


def _getitem(number: int, operation: Any, values: list[Any]) -> list[str]:
    source, given = operation.arguments
    key, has_new_axes = _key(given, len(_shape(values, source)))
    if not key:
        return _reshaped(number, operation, values)
    piece = f"{_argument(source)}[{_written_key(key)}]"
    is_number = all(isinstance(p, int) for p in key)
    if has_new_axes:
        if is_number:
            return [f"v{number} = np.full({operation.shape!r}, {piece}, np.{operation.dtype.name})"]
        piece = f"np.ascontiguousarray({piece}).reshape({operation.shape!r})"
    return [f"v{number} = {piece}"]


def _put(number: int, operation: Any, values: list[Any]) -> list[str]:
    source, given, shape = operation.arguments
    key, _ = _key(given, len(shape))
    lines = [f"v{number} = np.zeros({shape!r}, np.{operation.dtype.name})"]
    inner = np.broadcast_to(0, shape)[tuple(key)].shape
    text = _argument(source)
    if not key:
        return _reshaped(number, operation, values)
    if inner == () and _shape(values, source):
        text = f"{text}[{', '.join('0' for _ in _shape(values, source))}]"
    elif inner != _shape(values, source):
        text = f"np.ascontiguousarray({text}).reshape({inner!r})"
    return [*lines, f"v{number}[{_written_key(key)}] = {text}"]


def _concat(number: int, operation: Any, values: list[Any]) -> list[str]:
    pieces = operation.arguments
    _need(all(values[p.number].dtype == operation.dtype for p in pieces if hasattr(p, "number")))
    axis = operation.options.get("axis", 0) % len(operation.shape)
    return [f"v{number} = np.concatenate(({''.join(_argument(p) + ', ' for p in pieces)}), {axis})"]


def _cumulative_sum(number: int, operation: Any, values: list[Any]) -> list[str]:
    _need(len(operation.shape) == 1 and not operation.options.get("include_initial"))
    _need(values[operation.arguments[0].number].dtype == operation.dtype)
    _need(operation.dtype.name in FLOATS)
    return [f"v{number} = np.cumsum({_argument(operation.arguments[0])})"]


def _flip(number: int, operation: Any, values: list[Any]) -> list[str]:
    ndim, axis = len(operation.shape), operation.options.get("axis")
    _need(ndim > 0)
    axes = range(ndim) if axis is None else [a % ndim for a in np.atleast_1d(axis).tolist()]
    key = ", ".join("::-1" if a in axes else ":" for a in range(ndim))
    return [f"v{number} = {_argument(operation.arguments[0])}[{key}]"]


STEPS: dict[str, Writer] = {
    "matmul": _matmul, "reshape": _reshaped, "expand_dims": _reshaped, "squeeze": _reshaped,
    "matrix_transpose": _transposed, "permute_dims": _permuted, "getitem": _getitem, "put": _put,
    "concat": _concat, "cumulative_sum": _cumulative_sum, "flip": _flip,
}  # fmt: skip


def step_lines(number: int, operation: Any, values: list[Any]) -> list[str]:
    """The statements of a step.

    Raises
    ------
    NotWritableError
        For a step that is left to NumPy.
    """
    _need(operation.kind == "listed" and operation.name in STEPS)
    _need(operation.dtype.name in DTYPES)
    return STEPS[operation.name](number, operation, values)
