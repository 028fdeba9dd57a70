"""Directions, Jacobians and Hessians: many derivatives of one function at a point."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from .namespace import space_of
from .node import unboxed
from .transforms import Function, _as_array, _place, grad, jvp, vjp


def directional_derivative(function: Function, at: Any, along: Any) -> Any:
    """The derivative of the function at a point along a direction, of any length."""
    return jvp(function, (at,), (along,))[1]


def _basis(like: Any) -> Iterator[Any]:
    """Unit arrays, one for each entry of an array."""
    plain = unboxed(like)
    xp, n = space_of(plain)._xp, int(plain.size)
    eye = xp.eye(n, dtype=plain.dtype)
    for k in range(n):
        yield xp.reshape(eye[k, :], tuple(plain.shape))


def jacobian(function: Function, argnums: int = 0, mode: str = "auto") -> Function:
    """The matrix of all derivatives, of shape (*result.shape, *argument.shape).

    Parameters
    ----------
    function : callable
        Returns an array.
    argnums : int
    mode : {"auto", "forward", "reverse"}
        One forward pass for each entry of the argument, or one backward for each of the result;
        "auto" takes what is fewer.

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit.core.graph import jacobian
    >>> jacobian(lambda x: x * x[0])(np.asarray([1.0, 2.0])).tolist()
    [[2.0, 0.0], [2.0, 1.0]]
    """
    if mode not in {"auto", "forward", "reverse"}:
        message = f"jacobian was asked for mode={mode!r}. Choose auto, forward or reverse."
        raise ValueError(message)

    @functools.wraps(function)
    def differentiated(*arguments: Any, **options: Any) -> Any:
        k = _place(argnums, len(arguments), "jacobian")
        if isinstance(arguments[k], tuple | list | dict):
            message = (
                f"jacobian (or hessian) was asked for with respect to a "
                f"{type(arguments[k]).__name__}. It takes one array: concatenate the parameters, "
                "or ask for grad, vjp, jvp or hvp, which take trees."
            )
            raise TypeError(message)
        x = _as_array(arguments[k], "jacobian")

        def of_one(z: Any) -> Any:
            return function(*arguments[:k], z, *arguments[k + 1 :], **options)

        space = space_of(x)
        chosen = mode
        if mode != "forward":
            value, pull = vjp(of_one, x)
            if mode == "auto" and value.size > x.size:
                chosen = "forward"
        if chosen == "forward":
            columns = [jvp(of_one, (x,), (unit,))[1] for unit in _basis(x)]
            stacked = space.stack(columns, axis=-1)
            shape = (*columns[0].shape, *x.shape)
        else:
            rows = [pull(unit)[0] for unit in _basis(value)]
            stacked = space.stack(rows, axis=0)
            shape = (*value.shape, *x.shape)
        return space.reshape(stacked, shape)

    return differentiated


def hessian(function: Function, argnums: int = 0) -> Function:
    """The matrix of second derivatives of a function that returns one number: forward over reverse.

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit.core.graph import hessian
    >>> hessian(lambda x: x[0] * x[1] + x[0] ** 2)(np.asarray([1.0, 2.0])).tolist()
    [[2.0, 1.0], [1.0, 0.0]]
    """
    return jacobian(grad(function, argnums), argnums, mode="forward")


def hvp(function: Function, at: Any, along: Any) -> Any:
    """The Hessian at a point times a direction, at some four times the cost of the function.

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit.core.graph import hvp
    >>> hvp(lambda x: x[0] * x[1], np.asarray([1.0, 2.0]), np.asarray([1.0, 0.0])).tolist()
    [0.0, 1.0]
    """
    return jvp(grad(function), (at,), (along,))[1]
