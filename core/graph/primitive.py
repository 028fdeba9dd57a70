"""Primitives: functions of arrays whose derivatives are written down, and how they treat boxes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from array_api_compat import array_namespace

from .node import TRACE_LEVEL, Box, Dual, Node, recording
from .tracer import Tracer, constant, record


class Primitive:
    """A function of arrays, and its derivatives.

    Parameters
    ----------
    name : str
        In the namespace.
    function : callable
        On plain arrays: (*arguments, **options).
    space : namespace over nodes
    """

    __slots__ = ("__name__", "function", "name", "space")

    def __init__(self, name: str, function: Callable[..., Any], space: Any) -> None:
        self.name = self.__name__ = name
        self.function, self.space = function, space

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        level = 0.0
        for argument in arguments:
            if isinstance(argument, Box) and argument.level > level:
                level = argument.level
        if level == 0:
            if options:
                self._require_positions(options)
            return self.function(*arguments, **options)
        if level == TRACE_LEVEL:
            return record(self.name, self.function, arguments, options)
        inner: list[Any] = []
        parents: list[tuple[int, Any]] = []
        for i, argument in enumerate(arguments):
            if isinstance(argument, Box) and argument.level == level:
                inner.append(argument.value)
                parents.append((i, argument))
            else:
                inner.append(argument)
        value = self(*inner, **options)
        return self.recorded(value, level, inner, parents, options)

    def recorded(
        self,
        value: Any,
        level: float,
        inner: list[Any],
        parents: list[tuple[int, Any]],
        options: dict[str, Any],
    ) -> Any:
        """The value in a box of the level, with what it came from or its tangent."""
        if level < 1 and not recording.on:  # variables, which nobody follows now
            return value
        if isinstance(parents[0][1], Node):
            return Node(value, level, self.space, self, tuple(inner), options, tuple(parents))
        tangents = {i: dual.tangent for i, dual in parents if dual.tangent is not None}
        tangent = self.push(value, tangents, inner, options) if tangents else None
        return Dual(value, tangent, level, self.space)

    def _require_positions(self, options: dict[str, Any]) -> None:
        for name, value in options.items():
            if isinstance(value, Box):
                message = (
                    f"{self.name} was given a node by the name {name}, where it is not followed. "
                    "Give it by position."
                )
                raise TypeError(message)

    def pull_into(self, node: Node, g: Any, found: dict[int, Any]) -> None:
        """Add the parts of g, the derivative with respect to the node, that its parents have.

        Parameters
        ----------
        found : dict
            From the key of a node to its derivative as far as it is known.
        """
        for i, parent in node.parents:
            add_part(found, parent.key, self.pull(node, i, g))

    def pull(self, node: Node, i: int, g: Any) -> Any:
        """The part of g, the derivative with respect to the node, that argument i has; None for 0.

        Written on the namespace over nodes, so that it can be differentiated again.
        """
        raise NotImplementedError

    def push(
        self, value: Any, tangents: dict[int, Any], arguments: list[Any], options: dict[str, Any]
    ) -> Any:
        """The derivative of the value along the tangents of its arguments; None for 0."""
        raise NotImplementedError


def plus(a: Any, b: Any) -> Any:
    """a + b, a box on the left: the operators of some libraries refuse one on the right."""
    return b + a if isinstance(b, Box) else a + b


def times(a: Any, b: Any) -> Any:
    """a b, a box on the left, as in `plus`."""
    return b * a if isinstance(b, Box) else a * b


def add_part(found: dict[int, Any], key: int, part: Any) -> None:
    """Add a part of a derivative to those that were found before; None is 0."""
    if part is not None:
        found[key] = plus(found[key], part) if key in found else part


def shape_of(value: Any) -> tuple[int, ...]:
    """The shape of an array, of a node, or of a Python number."""
    return tuple(value.shape) if hasattr(value, "shape") else ()


def zeros_like(value: Any) -> Any:
    """Zeros in the place of a value, of a floating dtype: a derivative that is not there.

    A product with 0 would make NaN of infinity. Boxes stay boxes, because the operators of some
    libraries do not take a box beside an array.
    """
    if isinstance(value, Node):
        return Node(zeros_like(value.value), value.level, value.space)
    if isinstance(value, Dual):
        return Dual(zeros_like(value.value), None, value.level, value.space)
    if isinstance(value, Tracer):
        return constant(zeros_like(value.value), value)
    if not hasattr(value, "dtype"):
        return 0.0
    xp = array_namespace(value)
    if xp.isdtype(value.dtype, ("real floating", "complex floating")):
        return xp.zeros_like(value)
    return xp.zeros(shape_of(value))


def sum_to_shape(space: Any, g: Any, shape: tuple[int, ...]) -> Any:
    """What broadcasting `shape` to that of g did, undone: a sum over the axes that it made."""
    extra = len(shape_of(g)) - len(shape)
    if extra:
        g = space.sum(g, axis=tuple(range(extra)))
    axes = tuple(
        axis
        for axis, (own, wanted) in enumerate(zip(shape_of(g), shape, strict=True))
        if own != wanted
    )
    return space.sum(g, axis=axes, keepdims=True) if axes else g


def _brief(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return f"an array of shape {shape}" if isinstance(shape, tuple) else repr(value)


class Structural(Primitive):
    """A function with derivatives of its own form.

    Parameters
    ----------
    pull : callable
        (space, g, node, i) -> the part of argument i.
    push : callable or None
        (space, tangents, value, arguments, options) -> tangent; None: the function is linear in its
        first argument, and the only one with a tangent.
    names : tuple of str or None
        The options that its rules know; the first of them may be given by position. None: whatever
        is given goes to the function as it is.
    """

    __slots__ = ("_names", "_pull", "_push")

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        space: Any,
        pull: Any,
        push: Any = None,
        names: tuple[str, ...] | None = None,
    ) -> None:
        super().__init__(name, function, space)
        self._pull, self._push, self._names = pull, push, names

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        # What has a name is known to the rules by it, in whichever way it was given.
        names = self._names
        if names is not None and any(isinstance(x, Box) for x in arguments[:1]):
            if len(arguments) == 2 and names and names[0] not in options:
                options = {names[0]: arguments[1], **options}
                arguments = (arguments[0],)
            self._require_known(names, arguments, options)
        return super().__call__(*arguments, **options)

    def _require_known(
        self, names: tuple[str, ...], arguments: tuple[Any, ...], options: dict[str, Any]
    ) -> None:
        extra = [f"{name}={_brief(value)}" for name, value in options.items() if name not in names]
        extra += [_brief(value) for value in arguments[1:]]
        if extra:
            message = (
                f"{self.name} of a node was given {', '.join(extra)}, which its derivative does "
                f"not know. It takes {', '.join(names) or 'nothing'} beside the node"
                f"{', the first of them by position or by name' if names else ''}."
            )
            raise TypeError(message)

    def pull(self, node: Node, i: int, g: Any) -> Any:
        return self._pull(self.space, g, node, i)

    def push(
        self, value: Any, tangents: dict[int, Any], arguments: list[Any], options: dict[str, Any]
    ) -> Any:
        if self._push is None:
            return self(tangents[0], *arguments[1:], **options)
        return self._push(self.space, tangents, value, arguments, options)
