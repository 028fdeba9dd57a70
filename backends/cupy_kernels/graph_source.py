"""CUDA C++ of a loop of a static graph: one thread an entry, one kernel a loop.

Pure functions of strings and numbers, as in `source.py`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..graph_expressions import COMPARED, SAME, TESTED, Language, Names, expression
from ..graph_schedule import Loop, needs_of
from .formula import HELPERS
from .source import fill

THREADS = 256

TYPES = {
    "float64": "double", "float32": "float", "bool": "bool", "int64": "long long", "int32": "int",
}  # fmt: skip
# CUDA calls them what the standard calls them.
_CALLED_ALIKE = (
    "exp", "log", "log1p", "expm1", "log2", "log10", "sqrt", "hypot", "atan2", "pow", "floor",
    "ceil", "trunc", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh",
    "acosh", "atanh",
)  # fmt: skip
_TWO_ARGUMENTS = ("hypot", "atan2", "pow")
# The same names as in `graph_expressions.PYTHON`: a test compares them.
SOURCES = SAME | COMPARED | {
    name: f"{name}({{0}}, {{1}})" if name in _TWO_ARGUMENTS else f"{name}({{0}})"
    for name in _CALLED_ALIKE
} | {
    "abs": "xp_abs({0})", "reciprocal": "xp_reciprocal({0})", "sign": "xp_sign({0})",
    "round": "rint({0})", "logaddexp": "xp_logaddexp({0}, {1})",
    "maximum": "xp_maximum({0}, {1})", "minimum": "xp_minimum({0}, {1})",
    "isnan": TESTED["isnan"], "isfinite": "isfinite((double)({0}))",
    "isinf": "isinf((double)({0}))",
    "logical_and": "({0} && {1})", "logical_or": "({0} || {1})", "logical_not": "(!{0})",
    "bitwise_and": "({0} && {1})", "bitwise_or": "({0} || {1})", "bitwise_invert": "(!{0})",
}  # fmt: skip

MORE_HELPERS = """
__device__ inline double xp_abs(double x) { return fabs(x); }
__device__ inline float xp_abs(float x) { return fabs(x); }
__device__ inline long long xp_abs(long long x) { return x < 0 ? -x : x; }
__device__ inline int xp_abs(int x) { return x < 0 ? -x : x; }
template <typename T> __device__ inline T xp_reciprocal(T x) { return T(1) / x; }
"""

KERNEL = """
constexpr int THREADS = {threads};
extern "C" __global__ void __launch_bounds__(THREADS)
graph_loop({parameters}, long long n) {
    const long long step = (long long)gridDim.x * THREADS;
    for (long long i = (long long)blockIdx.x * THREADS + threadIdx.x; i < n; i += step) {
{body}
    }
}
"""


def _cast(source: str, dtype: Any) -> str:
    return f"({TYPES[dtype.name]})({source})"


def _literal(number: Any, dtype: Any) -> str:
    """A Python number in a dtype."""
    kind = TYPES[dtype.name]
    if dtype.name == "bool":
        return "true" if number else "false"
    if dtype.kind != "f":
        return f"({kind})({int(number)})"
    number = float(number)
    if math.isnan(number):
        return f"xp_nan<{kind}>()"
    if math.isinf(number):
        return f"({'-' if number < 0 else ''}xp_infinity<{kind}>())"
    return f"({kind})({number!r})"


CUDA = Language(
    SOURCES, "({0} ? {1} : {2})", "xp_power({0}, {1})", _cast, _literal, rounds_last=False
)


def place_of(own: tuple[int, ...], shape: tuple[int, ...]) -> str:
    """Where an array of shape `own`, in C order, has what entry i of a loop over `shape` reads.

    Axes that lie side by side, and along which the array moves with the loop, are one term.

    Examples
    --------
    >>> place_of((4, 3), (4, 3)), place_of((3,), (4, 3)), place_of((4, 1), (4, 3))
    ('i', 'i % 3LL', 'i / 3LL')
    >>> place_of((2, 1, 3), (2, 4, 3)), place_of((), (4, 3))
    ('i / 12LL * 3LL + i % 3LL', '0')
    """
    padded = (1,) * (len(shape) - len(own)) + own
    terms: list[str] = []
    axis, stride, behind = len(shape), 1, 1
    while axis > 0:
        length, first_behind = 1, behind
        while axis > 0 and padded[axis - 1] == shape[axis - 1]:
            axis -= 1
            length, behind = length * shape[axis], behind * shape[axis]
        if length > 1:
            term = "i" if first_behind == 1 else f"i / {first_behind}LL"
            term += f" % {length}LL" if math.prod(shape[:axis]) > 1 else ""
            terms.append(term + (f" * {stride}LL" if stride > 1 else ""))
            stride *= length
        while axis > 0 and padded[axis - 1] != shape[axis - 1]:
            axis -= 1
            behind *= shape[axis]
    return " + ".join(reversed(terms)) or "0"


def _is_number(value: Any) -> bool:
    """Whether a value of a program is a number from around the function, which stays as it is."""
    return isinstance(getattr(value, "value", None), np.generic)


def needs_of_loop(loop: Loop, values: list[Any]) -> tuple[int, ...]:
    """The numbers of the arrays that a loop reads and does not make, in order."""
    needed = {n for member in loop.members for n in needs_of(values[member])}
    return tuple(sorted(n for n in needed.difference(loop.members) if not _is_number(values[n])))


def loop_source(loop: Loop, values: list[Any], makes: tuple[int, ...]) -> str:
    """The text of a loop; the kernel is `graph_loop`.

    Its parameters are the arrays of `needs_of_loop`, then those of `makes`, all in C order, and
    the number of entries, which the text does not hold: arrays of one axis share it.

    Parameters
    ----------
    loop : Loop
        Without sums.
    values : list
        Those of the program.
    makes : tuple of int
        The members whose entries are stored.
    """

    def entry(n: int) -> str:
        return _literal(values[n].value, values[n].dtype) if _is_number(values[n]) else f"v{n}"

    names = Names(values, entry, CUDA)
    parameters, lines = [], []
    for n in needs_of_loop(loop, values):
        kind = f"const {TYPES[values[n].dtype.name]}"
        parameters.append(f"{kind}* __restrict__ a{n}")
        lines.append(f"{kind} v{n} = a{n}[{place_of(values[n].shape, loop.shape)}];")
    for n in loop.members:
        kind = TYPES[values[n].dtype.name]
        lines.append(f"const {kind} v{n} = {expression(values[n], names)};")
        if n in makes:
            parameters.append(f"{kind}* __restrict__ o{n}")
            lines.append(f"o{n}[i] = v{n};")
    body = "\n".join(" " * 8 + line for line in lines)
    listed = ",\n           ".join(parameters)
    return HELPERS + MORE_HELPERS + fill(KERNEL, threads=THREADS, parameters=listed, body=body)
