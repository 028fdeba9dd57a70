"""Functions of entries and their derivatives: for each argument one line, its partial derivative.

A factor is a function of (space, value, *arguments) on the namespace over nodes, so it
differentiates again; it serves reverse and forward mode alike. At kinks the derivative is that of
the sides averaged: abs at 0 has 0, maximum of equals has 1/2 for each.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .node import Box, Node, recording, unboxed
from .primitive import Primitive, plus, shape_of, sum_to_shape, times


class Elementwise(Primitive):
    """A function of entries that broadcast: each argument has a factor, the partial derivative.

    The factors are functions (space, value, *arguments); ONE and MINUS_ONE are spared the product,
    None is no derivative. Products are the library's operators, a box on the left as in `plus`.
    """

    __slots__ = ("factors",)

    def __init__(
        self, name: str, function: Callable[..., Any], space: Any, factors: tuple[Any, ...]
    ) -> None:
        super().__init__(name, function, space)
        self.factors = factors

    def push(
        self, value: Any, tangents: dict[int, Any], arguments: list[Any], options: dict[str, Any]
    ) -> Any:
        total = None
        for i, tangent in tangents.items():
            factor = self.factors[i]
            if factor is None:
                continue
            if factor is MINUS_ONE:
                tangent = -tangent
            elif factor is not ONE:
                tangent = times(tangent, factor(self.space, value, *arguments))
            total = tangent if total is None else plus(total, tangent)
        if total is None:
            return None
        shape = shape_of(value)
        return total if shape_of(total) == shape else self.space.broadcast_to(total, shape)


class Unary(Elementwise):
    """An element-wise function of one argument, without options: the general call took twice as
    long as the function itself on ten numbers."""

    __slots__ = ()

    def __call__(self, x: Any, **options: Any) -> Any:
        if type(x) is Node and not options:
            value = x.value
            value = self.function(value) if not isinstance(value, Box) else self(value)
            if x.level < 1 and not recording.on:
                return value
            return Node(value, x.level, self.space, self, (x.value,), None, ((0, x),))
        if isinstance(x, Box) or options:
            return super().__call__(x, **options)
        return self.function(x)

    def pull_into(self, node: Node, g: Any, found: dict[int, Any]) -> None:
        factor, value = self.factors[0], node.value
        if factor is None:
            return
        if factor is MINUS_ONE:
            g = -g
        elif factor is not ONE:
            if isinstance(value, Box):
                g = times(g, factor(self.space, value, node.arguments[0]))
            else:
                g = g * factor(self.space.plain, value, node.arguments[0])
        key = node.parents[0][1].key
        found[key] = plus(found[key], g) if key in found else g


class Binary(Elementwise):
    """An element-wise function of two arguments; as `Unary`, for the same reason."""

    __slots__ = ()

    def __call__(self, a: Any, b: Any, **options: Any) -> Any:
        first, second = type(a) is Node, type(b) is Node
        if options or not (first or second):
            if not options and not isinstance(a, Box) and not isinstance(b, Box):
                return self.function(a, b)
            return super().__call__(a, b, **options)
        if (isinstance(b, Box) and not second) or (isinstance(a, Box) and not first):
            return super().__call__(a, b)
        parents: tuple[tuple[int, Node], ...]
        if not second or (first and a.level > b.level):
            x, inner, parents = a, (a.value, b), ((0, a),)
        elif not first or b.level > a.level:
            x, inner, parents = b, (a, b.value), ((1, b),)
        else:
            x, inner, parents = a, (a.value, b.value), ((0, a), (1, b))
        one, two = inner
        if isinstance(one, Box) or isinstance(two, Box):
            value = self(one, two)
        else:
            value = self.function(one, two)
        if x.level < 1 and not recording.on:
            return value
        return Node(value, x.level, self.space, self, inner, None, parents)

    def pull_into(self, node: Node, g: Any, found: dict[int, Any]) -> None:
        value, (a, b) = node.value, node.arguments
        boxed = isinstance(value, Box)
        space = self.space if boxed else self.space.plain
        for i, parent in node.parents:
            factor, part = self.factors[i], g
            if factor is None:
                continue
            if factor is MINUS_ONE:
                part = -g
            elif factor is not ONE:
                part = factor(space, value, a, b)
                part = times(g, part) if boxed else g * part
            shape = parent.value.shape
            if part.shape != shape:
                part = sum_to_shape(self.space, part, shape)
            key = parent.key
            found[key] = plus(found[key], part) if key in found else part


def ONE(*_: Any) -> float:  # noqa: N802 - a constant, in the place of a function
    """The derivative 1."""
    return 1.0


def MINUS_ONE(*_: Any) -> float:  # noqa: N802 - a constant, in the place of a function
    """The derivative -1."""
    return -1.0


def _power_base(s: Any, y: Any, a: Any, b: Any) -> Any:
    # x**0 is flat also at 0, where x**-1 is infinite.
    flat = b == 0
    if isinstance(flat, bool):
        return 0.0 if flat else b * s.pow(a, b - 1)
    return s.multiply(b, s.pow(a, s.where(flat, 1.0, b - 1)))


def _power_exponent(s: Any, y: Any, a: Any, b: Any) -> Any:
    zero = a == 0
    if isinstance(zero, bool):
        # Python's logarithm of a Python number: NumPy's would make float64 of float32.
        return 0.0 if zero else y * (math.log(a) if a > 0 else math.nan)
    return y * s.log(s.where(zero, 1.0, a))


def _squares(s: Any, a: Any, b: Any) -> Any:
    return plus(a * a, b * b)


def _share(s: Any, y: Any, larger: Any, smaller: Any) -> Any:
    """1 where the one is larger, 1/2 where both are equal."""
    # Plain arrays: comparisons of some libraries refuse a box on the right.
    larger, smaller = unboxed(larger), unboxed(smaller)
    equal = s.where(larger == smaller, 0.5, s.zeros_like(y))
    return s.where(larger > smaller, 1.0, equal)


FACTORS: dict[str, tuple[Any, ...]] = {
    "add": (ONE, ONE),
    "subtract": (ONE, MINUS_ONE),
    "multiply": (lambda s, y, a, b: b, lambda s, y, a, b: a),
    "divide": (lambda s, y, a, b: 1.0 / b, lambda s, y, a, b: -y / b),
    "pow": (_power_base, _power_exponent),
    "maximum": (lambda s, y, a, b: _share(s, y, a, b), lambda s, y, a, b: _share(s, y, b, a)),
    "minimum": (lambda s, y, a, b: _share(s, y, b, a), lambda s, y, a, b: _share(s, y, a, b)),
    "atan2": (
        lambda s, y, a, b: s.divide(b, _squares(s, a, b)),
        lambda s, y, a, b: s.divide(-a, _squares(s, a, b)),
    ),
    "hypot": (lambda s, y, a, b: s.divide(a, y), lambda s, y, a, b: s.divide(b, y)),
    "logaddexp": (
        lambda s, y, a, b: s.exp(s.subtract(a, y)),
        lambda s, y, a, b: s.exp(s.subtract(b, y)),
    ),
    "negative": (MINUS_ONE,),
    "positive": (ONE,),
    "abs": (lambda s, y, x: s.sign(x),),
    "exp": (lambda s, y, x: y,),
    "expm1": (lambda s, y, x: y + 1.0,),
    "log": (lambda s, y, x: 1.0 / x,),
    "log1p": (lambda s, y, x: 1.0 / (1.0 + x),),
    "log2": (lambda s, y, x: 1.4426950408889634 / x,),
    "log10": (lambda s, y, x: 0.4342944819032518 / x,),
    "sqrt": (lambda s, y, x: 0.5 / y,),
    "square": (lambda s, y, x: 2.0 * x,),
    "reciprocal": (lambda s, y, x: -y * y,),
    "sin": (lambda s, y, x: s.cos(x),),
    "cos": (lambda s, y, x: -s.sin(x),),
    "tan": (lambda s, y, x: 1.0 + y * y,),
    "asin": (lambda s, y, x: 1.0 / s.sqrt(1.0 - x * x),),
    "acos": (lambda s, y, x: -1.0 / s.sqrt(1.0 - x * x),),
    "atan": (lambda s, y, x: 1.0 / (1.0 + x * x),),
    "sinh": (lambda s, y, x: s.cosh(x),),
    "cosh": (lambda s, y, x: s.sinh(x),),
    "tanh": (lambda s, y, x: 1.0 - y * y,),
    "asinh": (lambda s, y, x: 1.0 / s.sqrt(x * x + 1.0),),
    "acosh": (lambda s, y, x: 1.0 / s.sqrt(x * x - 1.0),),
    "atanh": (lambda s, y, x: 1.0 / (1.0 - x * x),),
}

# Steps, whose derivative is 0 wherever there is one.
FLAT = ("sign", "floor", "ceil", "round", "trunc")
