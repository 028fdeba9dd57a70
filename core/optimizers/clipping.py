"""Gradients made shorter before an optimizer sees them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from ...backends import NORM_FLOOR, Array, Namespace
from .tree import Tree, leaves, tree_map


def clip_by_value(grads: Tree, limit: float) -> Tree:
    """Each number of each gradient, clipped to [-limit, limit]. NaN stays NaN.

    Parameters
    ----------
    grads : tree of arrays
    limit : float > 0

    Returns
    -------
    tree like grads

    Examples
    --------
    >>> import numpy as np
    >>> clip_by_value({"w": np.array([-3.0, 0.5])}, 1.0)["w"].tolist()
    [-1.0, 0.5]
    """
    limit = _positive("clip_by_value", "limit", limit)
    return tree_map(lambda g: array_namespace(g).clip(g, -limit, limit), grads)


def clip_by_global_norm(grads: Tree, max_norm: float) -> tuple[Tree, Array]:
    """All gradients times one factor, so that their common norm is at most `max_norm`.

    norm = sqrt(sum of the squares of all numbers in all leaves)
    grads = grads * min(1, max_norm / (norm + 1e-6))

    Parameters
    ----------
    grads : tree of arrays, real floating
    max_norm : float > 0

    Returns
    -------
    grads : tree like grads
        New arrays, also where nothing is clipped. A NaN anywhere makes all of it NaN.
    norm : array of shape ()
        Before clipping, in the widest dtype of the gradients, on their device.

    Notes
    -----
    Squares are taken of numbers divided by the largest one, so that those beyond 1e19 do not
    overflow in float32, and those below 1e-23 do not vanish.

    References
    ----------
    Pascanu, Mikolov and Bengio 2013, On the difficulty of training recurrent neural networks,
    Algorithm 1. The 1e-6 is that of PyTorch's `clip_grad_norm_`.

    Examples
    --------
    >>> import numpy as np
    >>> grads, norm = clip_by_global_norm([np.array([3.0]), np.array([4.0])], max_norm=1.0)
    >>> float(norm), [g.round(6).tolist() for g in grads]
    (5.0, [[0.6], [0.8]])
    """
    return scaled_to_global_norm(grads, _positive("clip_by_global_norm", "max_norm", max_norm))


def scaled_to_global_norm(grads: Tree, max_norm: Any) -> tuple[Tree, Array]:
    """As `clip_by_global_norm`, which checks max_norm: here it may be traced."""
    found = leaves(grads)
    if not found:
        return grads, np.zeros(())
    xp = array_namespace(*found)
    norms = [_norm(xp, leaf) for leaf in found]
    widest = xp.result_type(*norms)
    norm = _norm(xp, xp.stack([xp.astype(each, widest) for each in norms]))
    factor = max_norm / (norm + NORM_FLOOR)
    # Not min(): of a NaN, the comparison is false and the NaN stays.
    factor = xp.where(factor > 1.0, 1.0, factor)
    return tree_map(lambda g: g * xp.astype(factor, g.dtype), grads), norm


def _norm(xp: Namespace, x: Array) -> Array:
    if math.prod(x.shape) == 0:
        return xp.zeros((), dtype=x.dtype)
    largest = xp.max(xp.abs(x))
    # Infinity and NaN are not divided by: inf / inf would turn an infinite norm into NaN.
    usable = (largest > 0.0) & xp.isfinite(largest)
    scale = xp.where(usable, largest, xp.ones_like(largest))
    scaled = x / scale
    return scale * xp.sqrt(xp.sum(scaled * scaled))


def _positive(function: str, name: str, value: Any) -> float:
    if isinstance(value, int | float | np.number) and value > 0.0:
        return float(value)
    message = f"{function}({name}={value!r}): {name} must be a number > 0."
    raise ValueError(message)
