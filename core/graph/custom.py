"""Functions whose derivatives are not those of what they do inside: recomputed, given, implicit."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from ..optimizers.tree import leaves
from .jacobians import jacobian
from .namespace import space_of
from .node import TRACE_LEVEL, Box, Dual, Node
from .primitive import Primitive, add_part, shape_of, zeros_like
from .tracer import record
from .transforms import jvp, vjp

Function = Callable[..., Any]


class _Whole(Primitive):
    """A function of arrays as one primitive; its result is one array."""

    def __init__(self, kind: str, function: Function, pull_all: Any, push_all: Any) -> None:
        super().__init__(getattr(function, "__name__", "function"), function, None)
        self.kind, self._pull_all, self._push_all = kind, pull_all, push_all
        # Of `implicit`: what it uses from around it is looked for there, for a solver hides it.
        self.residual: Any = None

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        if self.kind == "implicit" and len(arguments) != 1:
            message = (
                f"implicit was called with {len(arguments)} arguments. The root is a function of "
                "one: put several parameters into one array, and take them out in the residual."
            )
            raise TypeError(message)
        level = max((a.level for a in arguments if isinstance(a, Box)), default=0.0)
        if level == 0:
            self._require_positions(options)
            value = self.function(*arguments, **options)
            if self.residual is not None and isinstance(self.residual(*arguments, value), Box):
                self._refuse_closed_over()
            return value
        if level == TRACE_LEVEL:
            if self.kind == "implicit":  # how a root is found is not looked at
                # Not by the name alone, which may be that of a function which is known.
                name = f"implicit.{self.name}"
                return record(name, self.function, arguments, options, "opaque")
            return self.function(*arguments, **options)
        parents = [
            (i, a) for i, a in enumerate(arguments) if isinstance(a, Box) and a.level == level
        ]
        inner = list(arguments)
        for i, box in parents:
            inner[i] = box.value
        value = self(*inner, **options)
        self._require_one(value)
        # Boxes further out than the arguments are constants here, and are followed out there.
        if isinstance(value, Box) and value.level >= level:
            if self.kind == "checkpoint":
                return self.function(*arguments, **options)
            self._refuse_closed_over()
        result = self.recorded(value, level, inner, parents, options)
        tangent = result.tangent if isinstance(result, Dual) else None
        if isinstance(tangent, Box) and tangent.level == level:
            self._refuse_closed_over()
        if isinstance(result, Box) and result.space is None:
            # One function serves arrays of any library.
            result.space = parents[0][1].space
        return result

    def _require_one(self, value: Any) -> None:
        if isinstance(value, tuple | list | dict) or value is None:
            message = (
                f"{self.kind} was given {self.name}, which returned {type(value).__name__} with "
                f"{len(leaves(value))} arrays. It must return one array: stack or concatenate "
                "them."
            )
            raise TypeError(message)

    def _refuse_closed_over(self) -> None:
        message = (
            f"{self.kind} was given {self.name}, which uses a node from around it, such as the w "
            "of lambda x: x * w, whose derivative would be lost. Pass it as an argument: "
            "lambda x, w: x * w."
        )
        raise TypeError(message)

    def pull_into(self, node: Node, g: Any, found: dict[int, Any]) -> None:
        parts = self._pull_all(node, g)
        if any(isinstance(part, Box) and part.level == node.level for part in parts):
            self._refuse_closed_over()
        for i, parent in node.parents:
            add_part(found, parent.key, parts[i])

    def push(
        self, value: Any, tangents: dict[int, Any], arguments: list[Any], options: dict[str, Any]
    ) -> Any:
        return self._push_all(value, tangents, arguments, options)


def checkpoint(function: Function) -> Function:
    """The same function, whose inner values are dropped and computed again when they are needed.

    A chain of n steps in sqrt(n) checkpointed pieces keeps some 2 sqrt(n) values instead of n, at
    the price of a second forward computation. What the function uses without having it as an
    argument is followed too, but then nothing is dropped: pass it as an argument. Nor is anything
    dropped in a function that is compiled.

    Parameters
    ----------
    function : callable
        Of arrays, without effects; returns one array.

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit.core.graph import checkpoint, grad
    >>> grad(checkpoint(lambda x: x**3))(2.0).tolist()
    12.0
    """

    def pull_all(node: Node, g: Any) -> Any:
        options = node.options or {}
        _, pull = vjp(functools.partial(function, **options), *node.arguments)
        return pull(g)

    def push_all(value: Any, tangents: Any, arguments: Any, options: Any) -> Any:
        return _pushed(functools.partial(function, **options), tangents, arguments)

    return functools.wraps(function, updated=())(_Whole("checkpoint", function, pull_all, push_all))


def _pushed(function: Function, tangents: dict[int, Any], arguments: Any) -> Any:
    places = sorted(tangents)

    def of_those(*some: Any) -> Any:
        whole = list(arguments)
        for i, value in zip(places, some, strict=True):
            whole[i] = value
        return function(*whole)

    primals = tuple(arguments[i] for i in places)
    return jvp(of_those, primals, tuple(tangents[i] for i in places))[1]


def custom_vjp(function: Function, backward: Function) -> Function:
    """A function with a backward pass of one's own.

    Parameters
    ----------
    function : callable
        Of arrays; returns one array.
    backward : callable
        (g, value, *arguments) -> a tuple with the part of each argument, None for no derivative;
        written on a namespace over nodes, it differentiates again.

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit.core.graph import custom_vjp, grad
    >>> clipped = custom_vjp(lambda x: x * 1.0, lambda g, value, x: (g * (abs(x) < 1.0),))
    >>> grad(clipped)(0.5).tolist(), grad(clipped)(2.0).tolist()
    (1.0, 0.0)
    """

    def pull_all(node: Node, g: Any) -> Any:
        parts = backward(g, node.value, *node.arguments)
        _require_parts(getattr(function, "__name__", "a function"), parts, node.arguments)
        return parts

    def push_all(value: Any, tangents: Any, arguments: Any, options: Any) -> Any:
        message = (
            f"Forward mode reached {getattr(function, '__name__', 'a function')}, which has a "
            "backward pass of its own and no forward one. Give its derivative by custom_jvp, which "
            "serves both."
        )
        raise TypeError(message)

    return functools.wraps(function, updated=())(_Whole("custom_vjp", function, pull_all, push_all))


def _require_parts(who: str, parts: Any, arguments: Sequence[Any]) -> None:
    """Raise a TypeError unless there is a part of its shape, or None, for each argument."""
    wanted = [shape_of(argument) for argument in arguments]
    if isinstance(parts, tuple | list) and len(parts) == len(arguments):
        found = [own if p is None else shape_of(p) for p, own in zip(parts, wanted, strict=True)]
        if found == wanted:
            return
        told = f"parts of the shapes {found}"
    else:
        told = f"{len(parts)} parts" if isinstance(parts, tuple | list) else type(parts).__name__
    message = (
        f"custom_vjp was given a backward pass of {who} that returned {told} for arguments of the "
        f"shapes {wanted}. Return a tuple with one part of the argument's shape for each, or None: "
        "(g * slope,) where there is one argument."
    )
    raise TypeError(message)


def custom_jvp(function: Function, forward: Function) -> Function:
    """A function with a forward derivative of one's own; reverse mode is found from it.

    Parameters
    ----------
    function : callable
        Of arrays; returns one array.
    forward : callable
        (tangents, value, *arguments) -> tangent, linear in the tangents, a tuple with one for each
        argument; written on a namespace over nodes.

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit.core.graph import custom_jvp, grad
    >>> sine = custom_jvp(np.sin, lambda t, value, x: t[0] * np.cos(x))
    >>> grad(sine)(0.0).tolist()
    1.0
    """

    def pull_all(node: Node, g: Any) -> Any:
        # The transpose of a linear map: the pull-back of it, at any tangents.
        zeros = tuple(zeros_like(argument) for argument in node.arguments)
        _, pull = vjp(lambda *t: forward(t, node.value, *node.arguments), *zeros)
        return pull(g)

    def push_all(value: Any, tangents: Any, arguments: Any, options: Any) -> Any:
        whole = tuple(
            tangents[i] if i in tangents else zeros_like(argument)
            for i, argument in enumerate(arguments)
        )
        return forward(whole, value, *arguments)

    return functools.wraps(function, updated=())(_Whole("custom_jvp", function, pull_all, push_all))


def implicit(residual: Function, solve: Function) -> Function:
    """y(x), the root of residual(x, y) = 0, with the derivative of the implicit function.

    dy/dx = -(dF/dy)^-1 dF/dx: how the root was found is not differentiated.

    Parameters
    ----------
    residual : callable
        F(x, y), of the shape of y.
    solve : callable
        x -> y on plain arrays, by any method. That y is a root is taken on trust.

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit.core.graph import grad, implicit
    >>> root = implicit(lambda x, y: y * y - x, lambda x: np.sqrt(x))
    >>> grad(root)(4.0).tolist()
    0.25
    """

    def slopes(x: Any, y: Any) -> Any:
        n = int(y.size)
        return space_of(y).reshape(jacobian(residual, 1)(x, y), (n, n))

    def pull_all(node: Node, g: Any) -> Any:
        (x,), y = node.arguments, node.value
        # At the root as a function of x, so that the derivative of this is right too.
        y = root(x)
        space = space_of(y)
        flat = space.reshape(g, (-1,))
        u = space.solve(space.matrix_transpose(slopes(x, y)), flat)
        _, pull = vjp(lambda z: residual(z, y), x)
        return (-pull(space.reshape(u, y.shape))[0],)

    def push_all(value: Any, tangents: Any, arguments: Any, options: Any) -> Any:
        (x,) = arguments
        y = root(x)
        space = space_of(y)
        _, moved = jvp(lambda z: residual(z, y), (x,), (tangents[0],))
        found = space.solve(slopes(x, y), space.reshape(moved, (-1,)))
        return -space.reshape(found, y.shape)

    whole = _Whole("implicit", solve, pull_all, push_all)
    whole.residual = residual
    root: Function = functools.wraps(solve, updated=())(whole)
    return root
