"""Derivatives of functions of entries: for each argument one line, its partial derivative.

A factor is a function of (space, value, *arguments) on the namespace over nodes, so it
differentiates again; it serves reverse and forward mode alike. At kinks the derivative is that of
the sides averaged: abs at 0 has 0, maximum of equals has 1/2 for each.
"""

from __future__ import annotations

from typing import Any

from .primitive import MINUS_ONE, ONE


def _power_base(s: Any, y: Any, a: Any, b: Any) -> Any:
    # x**0 is flat also at 0, where x**-1 is infinite.
    flat = b == 0
    if isinstance(flat, bool):
        return 0.0 if flat else b * s.pow(a, b - 1)
    return b * s.pow(a, s.where(flat, 1.0, b - 1))


def _power_exponent(s: Any, y: Any, a: Any, b: Any) -> Any:
    zero = a == 0
    if isinstance(zero, bool):
        return 0.0 if zero else y * s.log(a)
    return y * s.log(s.where(zero, 1.0, a))


def _first_larger(s: Any, y: Any, a: Any, b: Any) -> Any:
    return s.where(a > b, 1.0, s.where(a == b, 0.5, s.zeros_like(y)))


def _second_larger(s: Any, y: Any, a: Any, b: Any) -> Any:
    return s.where(b > a, 1.0, s.where(a == b, 0.5, s.zeros_like(y)))


def _first_smaller(s: Any, y: Any, a: Any, b: Any) -> Any:
    return s.where(a < b, 1.0, s.where(a == b, 0.5, s.zeros_like(y)))


def _second_smaller(s: Any, y: Any, a: Any, b: Any) -> Any:
    return s.where(b < a, 1.0, s.where(a == b, 0.5, s.zeros_like(y)))


FACTORS: dict[str, tuple[Any, ...]] = {
    "add": (ONE, ONE),
    "subtract": (ONE, MINUS_ONE),
    "multiply": (lambda s, y, a, b: b, lambda s, y, a, b: a),
    "divide": (lambda s, y, a, b: 1.0 / b, lambda s, y, a, b: -y / b),
    "pow": (_power_base, _power_exponent),
    "maximum": (_first_larger, _second_larger),
    "minimum": (_first_smaller, _second_smaller),
    "atan2": (lambda s, y, a, b: b / (a * a + b * b), lambda s, y, a, b: -a / (a * a + b * b)),
    "hypot": (lambda s, y, a, b: a / y, lambda s, y, a, b: b / y),
    "logaddexp": (lambda s, y, a, b: s.exp(a - y), lambda s, y, a, b: s.exp(b - y)),
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
