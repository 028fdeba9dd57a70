"""Source of the element-wise functions of a static graph, one number at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

FLOATS = ("float64", "float32")
DTYPES = (*FLOATS, "bool", "int64", "int32")

# What compiled Python writes. Names are those of the standard; CUDA C++ has another source for each
# of them in cupy_kernels/graph_source.py.
# {0}, {1}: arguments in the dtype of the result. `xp` holds functions that LLVM vectorizes.
SAME = {
    "add": "({0} + {1})", "subtract": "({0} - {1})", "multiply": "({0} * {1})",
    "divide": "({0} / {1})", "negative": "(-{0})", "positive": "{0}", "square": "({0} * {0})",
    "broadcast_to": "{0}", "astype": "{0}", "abs": "abs({0})",
}  # fmt: skip
# The same for floating results only; in float64, rounded at the end.
FLOATING = {
    "exp": "xp.exp({0})", "log": "xp.log({0})", "log1p": "xp.log1p({0})",
    "expm1": "math.expm1({0})", "log2": "np.log2({0})", "log10": "np.log10({0})",
    "sqrt": "math.sqrt({0})", "reciprocal": "(1.0 / {0})", "sign": "xp.sign({0})",
    "logaddexp": "xp.logaddexp({0}, {1})", "maximum": "larger({0}, {1})",
    "minimum": "smaller({0}, {1})", "hypot": "math.hypot({0}, {1})",
    "atan2": "math.atan2({0}, {1})", "pow": "({0} ** {1})", "floor": "np.floor({0})",
    "ceil": "np.ceil({0})", "trunc": "np.trunc({0})", "round": "np.rint({0})",
} | {
    name: f"math.{name}({{0}})"
    for name in ("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh",
                 "acosh", "atanh")
}  # fmt: skip
COMPARED = {
    "less": "({0} < {1})", "less_equal": "({0} <= {1})", "greater": "({0} > {1})",
    "greater_equal": "({0} >= {1})", "equal": "({0} == {1})", "not_equal": "({0} != {1})",
}  # fmt: skip
TESTED = {
    "isnan": "({0} != {0})", "isfinite": "math.isfinite({0})", "isinf": "math.isinf({0})",
}  # fmt: skip
LOGICAL = {
    "logical_and": "({0} & {1})", "logical_or": "({0} | {1})", "logical_not": "(not {0})",
    "bitwise_and": "({0} & {1})", "bitwise_or": "({0} | {1})", "bitwise_invert": "(not {0})",
}  # fmt: skip
# The largest power that is written as products.
MOST_PRODUCTS = 8


class Language(NamedTuple):
    """How a language writes what is done to one entry.

    Attributes
    ----------
    sources : mapping
        Of each name in the tables above; {0} and {1} are the arguments.
    where : str
        Of a choice; {0} is the test.
    power : str
        {0} times itself, {1} times in all.
    cast : callable
        (source, dtype) -> the same number in a dtype.
    literal : callable
        (Python number, dtype) -> its source.
    rounds_last : bool
        Whether floating functions of float32 are computed in float64, and rounded at the end.
    """

    sources: Mapping[str, str]
    where: str
    power: str
    cast: Callable[[str, Any], str]
    literal: Callable[[Any, Any], str]
    rounds_last: bool


def _cast(source: str, dtype: Any) -> str:
    return f"np.{'bool_' if dtype.name == 'bool' else dtype.name}({source})"


def _literal(number: Any, dtype: Any) -> str:
    if dtype.name == "bool":
        return str(bool(number))
    if dtype.name not in FLOATS:
        return f"np.{dtype.name}({int(number)})"
    number = float(number)
    # In brackets: a minus sign binds less than a power.
    text = f"({number!r})" if number < 0 else repr(number)
    if not math.isfinite(number):
        text = "np.nan" if math.isnan(number) else ("np.inf" if number > 0 else "-np.inf")
    return text if dtype.name == "float64" else f"np.float32({text})"


PYTHON = Language(
    SAME | FLOATING | COMPARED | TESTED | LOGICAL,
    "({1} if {0} else {2})",
    "({0} ** {1})",
    _cast,
    _literal,
    rounds_last=True,
)


class Names:
    """Source of arguments.

    Parameters
    ----------
    values : list
        Those of the program.
    entry : callable
        Number of a value -> source of its current entry.
    language : Language
    """

    def __init__(
        self, values: list[Any], entry: Callable[[int], str], language: Language = PYTHON
    ) -> None:
        self.values, self._entry, self.language = values, entry, language

    def dtype_of(self, argument: Any) -> Any:
        """The dtype of an argument; None for a Python number, which takes that of the others."""
        return self.values[argument.number].dtype if hasattr(argument, "number") else None

    def operand(self, argument: Any, dtype: Any) -> str:
        """An argument in a dtype."""
        if hasattr(argument, "number"):
            text = self._entry(argument.number)
            own = self.values[argument.number].dtype
            return text if own == dtype else self.language.cast(text, dtype)
        return self.language.literal(argument, dtype)


def is_elementwise(operation: Any) -> bool:
    """Whether `expression` can write a step."""
    arguments = operation.arguments
    name = operation.name
    if operation.options and name != "broadcast_to":
        return False
    if name == "broadcast_to" or name == "astype":
        return operation.dtype.name in DTYPES
    if any(not _is_entry(argument) for argument in arguments):
        return False
    if name == "where":
        return len(arguments) == 3 and operation.dtype.name in DTYPES
    if name in FLOATING or name in {"divide", "square"}:
        return operation.dtype.name in FLOATS
    if name in SAME:
        return operation.dtype.name in DTYPES and operation.dtype.name != "bool"
    fits = all(type(x) is not int or -(2**63) <= x < 2**63 for x in arguments)
    return operation.dtype.name == "bool" and name in COMPARED | TESTED | LOGICAL and fits


def _is_entry(argument: Any) -> bool:
    return hasattr(argument, "number") or isinstance(argument, bool | int | float)


def expression(operation: Any, names: Names) -> str:
    """Source of a step for one entry."""
    name, arguments, dtype = operation.name, operation.arguments, operation.dtype
    language = names.language
    if name == "where":
        test = names.operand(arguments[0], np.dtype(bool))
        return language.where.format(test, *(names.operand(a, dtype) for a in arguments[1:]))
    if name in {"broadcast_to", "astype"}:
        return names.operand(arguments[0], dtype)
    if name == "pow" and type(arguments[1]) is int and arguments[1] == 1:
        return names.operand(arguments[0], dtype)
    if name == "pow" and type(arguments[1]) is int and 0 <= arguments[1] <= MOST_PRODUCTS:
        return language.power.format(names.operand(arguments[0], dtype), arguments[1])
    common = dtype
    if name in FLOATING and language.rounds_last:
        common = np.dtype(np.float64)
    elif name in LOGICAL:
        common = np.dtype(bool)
    elif name in COMPARED | TESTED:
        common = _common_dtype(arguments, names)
    text = language.sources[name].format(*(names.operand(a, common) for a in arguments))
    # Numba's integers widen to 64 bits, where those of arrays wrap around.
    narrow = name in SAME and dtype.name == "int32"
    return language.cast(text, dtype) if narrow or (name in FLOATING and common != dtype) else text


def _common_dtype(arguments: tuple[Any, ...], names: Names) -> Any:
    """The dtype in which arguments are compared."""
    given = [names.dtype_of(argument) for argument in arguments]
    own = [dtype for dtype in given if dtype is not None]
    common = np.result_type(*own)
    if common.kind != "f" and any(isinstance(argument, float) for argument in arguments):
        return np.dtype(np.float64)
    if common.kind != "f" and any(type(argument) is int for argument in arguments):
        return np.dtype(np.int64)
    return common


def sines_and_cosines(values: list[Any], members: list[int]) -> dict[int, tuple[int, int]]:
    """The sine and the cosine of one value, by the number of either, where a loop has both."""
    of: dict[str, dict[int, int]] = {"sin": {}, "cos": {}}
    for n in members:
        operation = values[n]
        if operation.name in of:
            of[operation.name][operation.arguments[0].number] = n
    pairs: dict[int, tuple[int, int]] = {}
    for argument, sine in of["sin"].items():
        if argument in of["cos"]:
            cosine = of["cos"][argument]
            pairs[sine] = pairs[cosine] = sine, cosine
    return pairs
