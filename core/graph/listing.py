"""The nodes of a function, in the order in which they were made, with all their derivatives.

What `draw` shows as text and as a picture.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...backends import BackendUnavailableError, resolve_backend
from ..optimizers.tree import aligned, leaves, unflatten
from .namespace import space_of
from .node import Node, next_level, unboxed
from .primitive import zeros_like
from .reverse import pull_back, reachable, watched
from .transforms import _as_array, _one_like, _require_shapes

# Arrays of more numbers are told by their shape and range.
MOST_NUMBERS = 4
# The argument that is a place within an array, and not a number: shown with the operation.
PLACES = {"getitem": 1, "take": 1, "put": 1}


@dataclass(frozen=True, eq=False)
class Constant:
    """What a node was computed from and nobody differentiates.

    Attributes
    ----------
    name : str
        Of the parameter whose argument it was; else empty.
    value : array, or number
    """

    name: str
    value: Any


@dataclass(frozen=True, eq=False)
class ListedNode:
    """One node.

    Attributes
    ----------
    number : int
        Its place in the list.
    name : str
        Of the operation, with its options; of a leaf, that of the function's parameter.
    arguments : tuple of int and Constant
        Numbers of nodes, and constants; empty for a leaf.
    value : array
    gradient : array or None
        The derivative of the result with respect to it; None where none was asked for.
    """

    number: int
    name: str
    arguments: tuple[int | Constant, ...]
    value: Any
    gradient: Any

    @property
    def is_leaf(self) -> bool:
        """Whether it was given and not computed."""
        return not self.arguments


def listed(function: Callable[..., Any], arguments: Any, gradient: Any) -> list[ListedNode]:
    """The nodes from the arguments of a function to its result, the last.

    Parameters
    ----------
    function : callable
        Returns one array.
    arguments : tuple of trees of arrays
        What is floating, or a number, becomes a leaf; the rest is given as it is.
    gradient : array or None
        With respect to the result; None: 1 for a number, no gradients for an array.
    """
    level, given = next_level(), leaves(arguments)
    names = _names(function, arguments)
    boxes = [_leaf(value, level) for value in given]
    result = function(*unflatten(arguments, boxes))
    if not isinstance(result, Node) or result.level != level:
        _refuse(function, result)
    nodes = {box.key: box for box in boxes if isinstance(box, Node)}
    nodes |= {node.key: node for node in reachable([result])}
    gradients = _gradients(result, gradient)
    numbers = {key: k for k, key in enumerate(nodes)}
    of_key = {b.key: name for b, name in zip(boxes, names, strict=True) if isinstance(b, Node)}
    # By what they are, so that an array that is used twice is one constant.
    constants = {
        id(value): Constant(name, value)
        for value, box, name in zip(given, boxes, names, strict=True)
        if not isinstance(box, Node)
    }
    found = []
    for key, node in nodes.items():
        slope = None
        if gradients is not None:
            slope = unboxed(gradients[key] if key in gradients else zeros_like(node.value))
        found.append(
            ListedNode(
                numbers[key],
                of_key.get(key) or operation(node),
                tuple(_arguments(node, numbers, constants)),
                unboxed(node.value),
                slope,
            )
        )
    return found


def _leaf(value: Any, level: int) -> Any:
    if isinstance(value, bool):
        return value
    try:
        array = _as_array(value, "draw")
    except TypeError:
        # Labels, names, choices: whoever differentiates leaves them alone, too.
        return value
    return Node(array, level, space_of(array))


def _names(function: Callable[..., Any], arguments: tuple[Any, ...]) -> list[str]:
    """A name for each leaf of the arguments: of the parameter, and the place within it."""
    try:
        bound = inspect.signature(function).bind(*arguments).arguments
    except (TypeError, ValueError):  # no signature; or one that the call itself will complain of
        bound = {f"argument {k}": value for k, value in enumerate(arguments)}
    return [
        f"{name}{path}" for name, value in bound.items() for path, _ in aligned((name,), (value,))
    ]


def _refuse(function: Callable[..., Any], result: Any) -> None:
    who = getattr(function, "__name__", "the function")
    if isinstance(result, tuple | list | dict) or result is None:
        message = (
            f"draw was asked for the graph of {who}, which returned {type(result).__name__}. It "
            "must return one array: return one of them, or a sum."
        )
    else:
        message = (
            f"draw was asked for the graph of {who}, whose result was not computed from its "
            "arguments by functions of xpfit.core.graph.namespace(xp): there is nothing to draw. "
            "Give it floating arrays or numbers, and return what is computed from them."
        )
    raise TypeError(message)


def _gradients(end: Node, gradient: Any) -> dict[int, Any] | None:
    """The derivative with respect to every node that has one, by its key."""
    if gradient is None:
        if end.shape != ():
            return None
        gradient = _one_like(end.value)
    _require_shapes("draw", "a gradient", [end], [gradient])
    found: dict[int, Any] = {}

    def note(node: Node, g: Any) -> None:
        found[node.key] = g

    with watched(note):
        pull_back([end], [gradient])
    return found


def _arguments(
    node: Node, numbers: dict[int, int], constants: dict[int, Constant]
) -> Iterator[int | Constant]:
    parents = {i: numbers[parent.key] for i, parent in node.parents}
    for i, value in enumerate(node.arguments):
        if i in parents:
            yield parents[i]
        elif i < PLACES.get(_name(node), len(node.arguments)):
            plain = unboxed(value)
            if getattr(plain, "ndim", 0) > 0:
                yield constants.setdefault(id(plain), Constant("", plain))
            else:
                yield constants.get(id(plain)) or Constant("", plain)


def _name(node: Node) -> str:
    return "constant" if node.primitive is None else str(node.primitive.name)


def operation(node: Node) -> str:
    """The name of what made a node, with its options."""
    name = _name(node)
    kind = getattr(node.primitive, "kind", "")
    if kind:
        name = f"{kind} {name}"
    if name in PLACES:
        place = node.arguments[PLACES[name]]
        return f"{name}[{', '.join(map(_place, place if isinstance(place, tuple) else (place,)))}]"
    options = [f"{key}={_place(value)}" for key, value in (node.options or {}).items()]
    return f"{name}({', '.join(options)})" if options else name


def _place(key: Any) -> str:
    if isinstance(key, slice):
        parts = ["" if part is None else str(part) for part in (key.start, key.stop)]
        return ":".join([*parts, str(key.step)] if key.step is not None else parts)
    if key is Ellipsis:
        return "..."
    return shown(key) if hasattr(key, "dtype") else str(key)


def host(value: Any) -> Any:
    """A NumPy array of an array of any library."""
    value = unboxed(value)
    try:
        return resolve_backend(None, value).to_numpy(value)
    except (TypeError, BackendUnavailableError):
        # A number, or an array of a library that is no backend.
        return np.asarray(value)


def shown(value: Any) -> str:
    """A value in few characters: its numbers to four digits, or its shape and range.

    Examples
    --------
    >>> shown(1 / 3), shown(np.asarray([1.0, 2.5]))
    ('0.3333', '[1, 2.5]')
    >>> shown(np.arange(12.0).reshape(3, 4))
    '(3, 4) 0 to 11'
    """
    if value is None or isinstance(value, str | bytes):
        return repr(value)
    array = np.asarray(host(value))
    if array.dtype.kind == "V":  # floats of 16 bits or fewer that NumPy does not know
        array = array.astype(np.float64)
    if array.dtype.kind not in "biufc":
        return str(value)
    if array.size == 0:
        return f"{array.shape} empty"
    if array.size <= MOST_NUMBERS:
        return _numbers(array.tolist())
    if array.dtype.kind == "b":
        return f"{array.shape} {int(array.sum())} true"
    if array.dtype.kind == "c":
        return f"{array.shape} {array.dtype}"
    low, high = _numbers(array.min()), _numbers(array.max())
    return f"{array.shape} {f'all {low}' if low == high else f'{low} to {high}'}"


def _numbers(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_numbers, value))}]"
    if isinstance(value, bool):
        return str(value)
    return f"{value + 0:.4g}"  # + 0: no minus before 0
