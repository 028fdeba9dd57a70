"""Derivatives of functions: autograd's and JAX's names and call forms, over arrays of any library.

Arguments may be arrays, Python numbers, or tuples, lists and dicts of them. Every transform takes
functions that are transforms themselves.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..optimizers.tree import leaves, tree_map, unflatten
from .namespace import space_of
from .node import Box, Dual, Node, next_level, unboxed
from .primitive import zeros_like
from .reverse import pull_back
from .tracer import Tracer, constant

Function = Callable[..., Any]


def _as_array(value: Any, who: str) -> Any:
    if isinstance(value, Box) and _is_floating(value):
        return value
    if isinstance(value, bool | int | float | np.generic):
        value = np.asarray(value)
    if not hasattr(value, "dtype"):
        message = (
            f"{who} was given an argument of type {type(value).__name__}. It differentiates with "
            "respect to arrays, numbers, and tuples, lists and dicts of them."
        )
        raise TypeError(message)
    if not _is_floating(value):
        if value.ndim == 0 and isinstance(value, np.ndarray):
            return value.astype(np.float64)
        message = (
            f"{who} was given an argument of dtype {value.dtype}: integers have no derivative. "
            "Convert it to a floating dtype."
        )
        raise TypeError(message)
    return value


def _is_floating(value: Any) -> bool:
    return "float" in str(value.dtype) or "complex" in str(value.dtype)


def _boxes(tree: Any, level: int, who: str) -> tuple[Any, list[Node]]:
    arrays = [_as_array(leaf, who) for leaf in leaves(tree)]
    nodes = [Node(array, level, space_of(array)) for array in arrays]
    return unflatten(tree, nodes), nodes


def _own(value: Any, level: int) -> Any:
    """What lies in a box of that level; the value itself where it is no such box."""
    return value.value if isinstance(value, Box) and value.level == level else value


def _require_shapes(who: str, what: str, wanted: Sequence[Any], given: Sequence[Any]) -> None:
    # Broadcasting would make another derivative of it.
    shapes = [tuple(getattr(x, "shape", ())) for x in wanted]
    found = [tuple(getattr(x, "shape", ())) for x in given]
    if shapes != found:
        message = (
            f"{who} was given {what} of shape {found} for values of shape {shapes}. Give one of "
            "the same shape for each."
        )
        raise ValueError(message)


def _place(argnum: int, n: int, who: str) -> int:
    """The place of an argument, counted from the front."""
    if -n <= argnum < n:
        return argnum % n
    message = (
        f"{who} was asked for argnums={argnum} and was given {n} arguments by position. argnums "
        "counts from 0 those that are given by position, without names."
    )
    raise TypeError(message)


def _with_aux(result: Any, who: str) -> tuple[Any, Any]:
    if isinstance(result, tuple) and len(result) == 2:
        return result
    message = (
        f"{who} was asked with has_aux=True, and the function returned {type(result).__name__}"
        f"{f' of length {len(result)}' if isinstance(result, tuple) else ''}. Return the pair "
        "(value, more), or leave has_aux out."
    )
    raise TypeError(message)


def vjp(function: Function, *arguments: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """The value, and the function that pulls a derivative back: g -> g' J, for each argument.

    Parameters
    ----------
    function : callable
        Of the arguments; returns an array or a tree of arrays.

    Returns
    -------
    value : what the function returns
    pull : callable
        Of a tree like the value; returns a tuple, one tree for each argument.

    Examples
    --------
    >>> from xpfit.core.graph import namespace, vjp
    >>> value, pull = vjp(lambda x: x**2, np.asarray([1.0, 3.0]))
    >>> value.tolist(), pull(np.asarray([1.0, 10.0]))[0].tolist()
    ([1.0, 9.0], [2.0, 60.0])
    """
    level = next_level()
    boxed, nodes = _boxes(arguments, level, "vjp")
    result = function(*boxed)
    ends = leaves(result)
    value = unflatten(result, [_own(end, level) for end in ends])

    def pull(g: Any) -> tuple[Any, ...]:
        seeds = leaves(g)
        _require_shapes("vjp", "a derivative", leaves(value), seeds)
        own = [
            (end, seed)
            for end, seed in zip(ends, seeds, strict=True)
            if isinstance(end, Node) and end.level == level
        ]
        found = pull_back([end for end, _ in own], [seed for _, seed in own]) if own else {}
        parts = [found[node.key] if node.key in found else zeros_like(node.value) for node in nodes]
        trees: tuple[Any, ...] = unflatten(arguments, parts)
        return trees

    return value, pull


def jvp(function: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """The value, and its derivative along a direction: J t.

    Parameters
    ----------
    function : callable
    primals, tangents : tuples of trees of arrays
        Where, and along what; of the same shapes.

    Examples
    --------
    >>> from xpfit.core.graph import jvp
    >>> value, tangent = jvp(lambda x: x**2, (np.asarray([1.0, 3.0]),), (np.asarray([1.0, 1.0]),))
    >>> value.tolist(), tangent.tolist()
    ([1.0, 9.0], [2.0, 6.0])
    """
    level = next_level()
    given = [_as_array(leaf, "jvp") for leaf in leaves(tuple(primals))]
    along = leaves(tuple(tangents))
    _require_shapes("jvp", "a tangent", given, along)
    duals = [
        Dual(array, tangent, level, space_of(array))
        for array, tangent in zip(given, along, strict=True)
    ]
    result = function(*unflatten(tuple(primals), duals))
    value = tree_map(lambda end: _own(end, level), result)

    def tangent_of(end: Any) -> Any:
        if isinstance(end, Dual) and end.level == level and end.tangent is not None:
            return end.tangent
        return zeros_like(_own(end, level))

    return value, tree_map(tangent_of, result)


def value_and_grad(
    function: Function, argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Function:
    """The function that returns the value and the gradient; the value is one number.

    Parameters
    ----------
    function : callable
    argnums : int or sequence of int
        With respect to which arguments; several make the gradient a tuple.
    has_aux : bool
        The function returns (value, more); the result is then ((value, more), gradient).

    Raises
    ------
    TypeError
        For a value that is not one number, and for arguments that have no derivative.
    """
    several = not isinstance(argnums, int)
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    who = getattr(function, "__name__", "the function")

    @functools.wraps(function)
    def differentiated(*arguments: Any, **options: Any) -> Any:
        level = next_level()
        places = [_place(k, len(arguments), f"grad of {who}") for k in numbers]
        chosen = tuple(arguments[k] for k in places)
        boxed, nodes = _boxes(chosen, level, f"grad of {who}")
        filled = list(arguments)
        for k, box in zip(places, boxed, strict=True):
            filled[k] = box
        result, aux = function(*filled, **options), None
        if has_aux:
            result, aux = _with_aux(result, f"grad of {who}")
            aux = tree_map(lambda end: _own(end, level), aux)
        if not isinstance(result, Box | int | float | np.generic) and not hasattr(result, "dtype"):
            message = (
                f"grad was asked for the gradient of {who}, which returned "
                f"{type(result).__name__}. It must return one number; is a return missing?"
            )
            raise TypeError(message)
        shape = getattr(result, "shape", ())
        if tuple(shape) != ():
            message = (
                f"grad was asked for the gradient of {who}, which returned an array of shape "
                f"{tuple(shape)}. A gradient is that of one number: return a sum or a mean, or ask "
                "for jacobian or elementwise_grad."
            )
            raise TypeError(message)
        value, found = _own(result, level), {}
        if isinstance(result, Node) and result.level == level:
            seed = _one_like(value)
            end = [result]
            del result
            found = pull_back(end, [seed])
        parts = [found[node.key] if node.key in found else zeros_like(node.value) for node in nodes]
        gradient = unflatten(chosen, parts)
        gradient = gradient if several else gradient[0]
        return ((value, aux), gradient) if has_aux else (value, gradient)

    return differentiated


def _one_like(value: Any) -> Any:
    plain = unboxed(value)
    space = space_of(plain)
    one = space._xp.ones((), dtype=plain.dtype)
    return constant(one, plain) if isinstance(plain, Tracer) else one


def grad(function: Function, argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Function:
    """The function that returns the gradient; see `value_and_grad`.

    With `has_aux` it returns (gradient, more).

    Examples
    --------
    >>> from xpfit.core.graph import grad, namespace
    >>> xp = namespace(np)
    >>> grad(grad(lambda x: x**3))(2.0).tolist()
    12.0
    """
    both = value_and_grad(function, argnums, has_aux)

    @functools.wraps(function)
    def differentiated(*arguments: Any, **options: Any) -> Any:
        value, gradient = both(*arguments, **options)
        return (gradient, value[1]) if has_aux else gradient

    return differentiated


def elementwise_grad(function: Function, argnums: int | Sequence[int] = 0) -> Function:
    """The derivative of each entry of the result with respect to the same entry of the argument.

    For functions of entries: the sum of each row of the Jacobian is returned.

    Examples
    --------
    >>> from xpfit.core.graph import elementwise_grad, namespace
    >>> elementwise_grad(namespace(np).tanh)(np.asarray([0.0, 100.0])).tolist()
    [1.0, 0.0]
    """

    def total(*arguments: Any, **options: Any) -> Any:
        result = function(*arguments, **options)
        return space_of(result).sum(result)

    return grad(functools.wraps(function)(total), argnums)
