"""Derivatives of functions that move, add up or multiply arrays.

A pull is (space, g, node, i) -> the part of argument i; a push is (space, tangents, value,
arguments, options) -> tangent. Where there is no push, the function is linear in its first
argument: its tangent goes the same way.
"""

from __future__ import annotations

import math
from typing import Any

from .node import Node
from .primitive import plus, shape_of, sum_to_shape, zeros_like

Axes = tuple[int, ...]


def _option(node_options: Any, name: str, default: Any) -> Any:
    return default if node_options is None else node_options.get(name, default)


def _axes(axis: Any, ndim: int) -> Axes:
    if axis is None or ndim == 0:  # NumPy's sum of a number takes axis=0
        return tuple(range(ndim))
    return tuple(a % ndim for a in (axis if isinstance(axis, tuple) else (axis,)))


def _kept(space: Any, x: Any, shape: tuple[int, ...], options: Any) -> Any:
    """A reduced array with its lost axes back, of length 1."""
    if _option(options, "keepdims", False):
        return x
    axes = _axes(_option(options, "axis", None), len(shape))
    return space.reshape(x, tuple(1 if a in axes else n for a, n in enumerate(shape)))


def pull_sum(space: Any, g: Any, node: Node, i: int) -> Any:
    """Every summand has it whole."""
    shape = shape_of(node.arguments[0])
    return space.broadcast_to(_kept(space, g, shape, node.options), shape)


def _n_reduced(shape: tuple[int, ...], options: Any) -> int:
    return math.prod(shape[a] for a in _axes(_option(options, "axis", None), len(shape)))


def pull_mean(space: Any, g: Any, node: Node, i: int) -> Any:
    """Every entry has its share."""
    shape = shape_of(node.arguments[0])
    return pull_sum(space, g, node, i) / max(_n_reduced(shape, node.options), 1)


def _at_extreme(space: Any, x: Any, value: Any, options: Any) -> Any:
    # Shared evenly among those that are equal.
    hit = x == _kept(space, value, shape_of(x), options)
    hit = space.where(hit, 1.0, space.zeros_like(x))
    count = space.sum(hit, axis=_option(options, "axis", None), keepdims=True)
    return hit / count


def pull_extreme(space: Any, g: Any, node: Node, i: int) -> Any:
    """Of max and min: those entries have it that are the extreme."""
    x = node.arguments[0]
    share = _at_extreme(space, x, node.value, node.options)
    return _kept(space, g, shape_of(x), node.options) * share


def push_extreme(space: Any, tangents: Any, value: Any, arguments: Any, options: Any) -> Any:
    """As `pull_extreme`."""
    share = _at_extreme(space, arguments[0], value, options)
    return space.sum(tangents[0] * share, **(options or {}))


def pull_reshape(space: Any, g: Any, node: Node, i: int) -> Any:
    """Back into the old shape."""
    return space.reshape(g, shape_of(node.arguments[0]))


def pull_astype(space: Any, g: Any, node: Node, i: int) -> Any:
    """Back in the old dtype."""
    return space.astype(g, node.arguments[0].dtype)


def pull_transpose(space: Any, g: Any, node: Node, i: int) -> Any:
    """Once more."""
    return space.matrix_transpose(g)


def pull_permute(space: Any, g: Any, node: Node, i: int) -> Any:
    """By the inverse permutation."""
    axes = _option(node.options, "axes", ())
    inverse = sorted(range(len(axes)), key=lambda a: axes[a] % len(axes))
    return space.permute_dims(g, tuple(inverse))


def pull_broadcast(space: Any, g: Any, node: Node, i: int) -> Any:
    """Undone by a sum."""
    return sum_to_shape(space, g, shape_of(node.arguments[0]))


def pull_where(space: Any, g: Any, node: Node, i: int) -> Any:
    """Zero where the other one was taken: a product would turn infinity into NaN."""
    if i == 0:
        return None
    chosen = node.arguments[0]
    part = space.where(chosen, g, 0.0) if i == 1 else space.where(chosen, 0.0, g)
    shape = shape_of(node.arguments[i])
    return part if shape_of(part) == shape else sum_to_shape(space, part, shape)


def push_where(space: Any, tangents: Any, value: Any, arguments: Any, options: Any) -> Any:
    """The tangent of the one that was taken."""
    first, second = tangents.get(1), tangents.get(2)
    if first is None and second is None:
        return None
    found = space.where(
        arguments[0], 0.0 if first is None else first, 0.0 if second is None else second
    )
    return space.broadcast_to(found, shape_of(value))


def pull_getitem(space: Any, g: Any, node: Node, i: int) -> Any:
    """Put back in place, zeros around."""
    return space._put(g, node.arguments[1], shape_of(node.arguments[0]))


def pull_put(space: Any, g: Any, node: Node, i: int) -> Any:
    """Taken out again."""
    return space.getitem(g, node.arguments[1])


def pull_take(space: Any, g: Any, node: Node, i: int) -> Any:
    """Put back in place; what was taken twice is added up."""
    shape = shape_of(node.arguments[0])
    axis = _option(node.options, "axis", 0) % len(shape)
    key = (*(slice(None),) * axis, node.arguments[1])
    return space._put(g, key, shape)


def _columns(space: Any, x: Any) -> Any:
    return space.matrix_transpose(x)


def pull_matmul(space: Any, g: Any, node: Node, i: int) -> Any:
    """da = g b', db = a' g; a vector counts as a row on the left, as a column on the right."""
    a, b = node.arguments
    shape = shape_of(node.arguments[i])
    ndims = len(shape_of(a)), len(shape_of(b))
    if ndims == (1, 1):
        return space.multiply(g, b if i == 0 else a)
    if ndims == (2, 1):  # with vectors, not with matrices of one column
        return space.outer(g, b) if i == 0 else space.matmul(_columns(space, a), g)
    if ndims == (1, 2):
        return space.matmul(b, g) if i == 0 else space.outer(a, g)
    if len(shape_of(a)) == 1:
        a, g = space.reshape(a, (1, -1)), space.expand_dims(g, axis=-2)
    if len(shape_of(b)) == 1:
        b, g = space.reshape(b, (-1, 1)), space.expand_dims(g, axis=-1)
    left, right = (g, _columns(space, b)) if i == 0 else (_columns(space, a), g)
    part = space.matmul(left, right)
    if len(shape) == 1:
        part = part[..., 0, :] if i == 0 else part[..., :, 0]
    return part if shape_of(part) == shape else sum_to_shape(space, part, shape)


def push_matmul(space: Any, tangents: Any, value: Any, arguments: Any, options: Any) -> Any:
    """da b + a db."""
    a, b = arguments
    parts = []
    if 0 in tangents:
        parts.append(space.matmul(tangents[0], b))
    if 1 in tangents:
        parts.append(space.matmul(a, tangents[1]))
    return parts[0] if len(parts) == 1 else plus(parts[0], parts[1])


def _offsets(pieces: Any, axis: int) -> list[int]:
    offsets = [0]
    for piece in pieces:
        offsets.append(offsets[-1] + shape_of(piece)[axis])
    return offsets


def pull_concat(space: Any, g: Any, node: Node, i: int) -> Any:
    """Its own part of the axis."""
    axis = _option(node.options, "axis", 0)
    ndim = len(shape_of(g))
    offsets = _offsets(node.arguments, axis)
    key = [slice(None)] * ndim
    key[axis % ndim] = slice(offsets[i], offsets[i + 1])
    return g[tuple(key)]


def push_concat(space: Any, tangents: Any, value: Any, arguments: Any, options: Any) -> Any:
    """The tangents one after the other, zeros where there is none."""
    pieces = [
        tangents[i] if i in tangents else zeros_like(argument)
        for i, argument in enumerate(arguments)
    ]
    return space._concat(*pieces, **(options or {}))


def pull_cumulative_sum(space: Any, g: Any, node: Node, i: int) -> Any:
    """The sum from each place to the end; of the zero that may lead, nothing."""
    axis, shape = _option(node.options, "axis", None), shape_of(node.arguments[0])
    axis = 0 if axis is None else axis
    if _option(node.options, "include_initial", False):
        key = [slice(None)] * len(shape_of(g))
        key[axis] = slice(1, None)
        g = g[tuple(key)]
    turned = space.flip(g, axis=axis)
    found = space.flip(space.cumulative_sum(turned, axis=axis), axis=axis)
    # Of a number without axes NumPy makes an array of one.
    return space.reshape(found, shape) if found.shape != shape else found


def pull_flip(space: Any, g: Any, node: Node, i: int) -> Any:
    """Once more."""
    return space.flip(g, **(node.options or {}))


def pull_solve(space: Any, g: Any, node: Node, i: int) -> Any:
    """x = A^-1 b: db = A^-T g, dA = -db x'."""
    A, b = node.arguments
    db = space.solve(space.matrix_transpose(A), g)
    if i == 1:
        return db
    x = node.value
    if len(shape_of(b)) == 1:
        return -space.outer(db, x)
    return -space.matmul(db, space.matrix_transpose(x))


def push_solve(space: Any, tangents: Any, value: Any, arguments: Any, options: Any) -> Any:
    """A^-1 (db - dA x)."""
    right = tangents.get(1)
    if 0 in tangents:
        moved = space.matmul(tangents[0], value)
        right = -moved if right is None else space.subtract(right, moved)
    return space.solve(arguments[0], right)
