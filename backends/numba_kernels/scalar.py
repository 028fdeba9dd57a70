"""`xp` for one number at a time: what a pointwise loss is bound to when Numba compiles it.

`SCALAR` stands where an array namespace stands in `loss.value(xp, y, raw_prediction)`. Its
functions are straight-line arithmetic without branches or calls, so LLVM vectorizes the loop over
samples they are inlined into. NumPy's own scalar functions inside a kernel are calls to libm that
cannot be vectorized: they were the larger part of a pass.

Accuracy, tested against long double: exp and log within 1 ulp, log1p within 2 ulp, the rest by
composition. NaN stays NaN; exp overflows to inf and underflows to 0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import (
    intrinsic,
    models,
    overload,
    overload_method,
    register_model,
    typeof_impl,
)


class ScalarNamespace:
    """The type of `SCALAR`. It holds nothing: methods exist in compiled code only."""


class ScalarNamespaceType(types.Type):
    """Numba's type of `SCALAR`."""

    def __init__(self) -> None:
        super().__init__(name="xpfit.ScalarNamespace")


scalar_type = ScalarNamespaceType()
register_model(ScalarNamespaceType)(models.OpaqueModel)
SCALAR = ScalarNamespace()


@typeof_impl.register(ScalarNamespace)
def _typeof(_value: Any, _context: Any) -> ScalarNamespaceType:
    return scalar_type


@intrinsic
def scalar_namespace(typing_context: Any) -> Any:
    """`SCALAR` inside a kernel: a value of no size, since a global object cannot be cached."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return context.get_dummy_value()

    return scalar_type(), generate


@intrinsic
def bits_of(typing_context: Any, x: Any) -> Any:
    """The bits of a float64 as int64."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(64))

    return types.int64(types.float64), generate


@intrinsic
def from_bits(typing_context: Any, x: Any) -> Any:
    """The float64 that has the given bits."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), generate


@intrinsic
def fetch_add(typing_context: Any, counter: Any, step: Any) -> Any:
    """Atomically add `step` to counter[0] (int64) and return the value before."""
    if not (isinstance(counter, types.Array) and counter.dtype == types.int64):
        return None

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = cgutils.create_struct_proxy(signature.args[0])(context, builder, args[0])
        return builder.atomic_rmw("add", array.data, args[1], "seq_cst")

    return types.int64(counter, types.int64), generate


@intrinsic
def prefetch(typing_context: Any, X: Any, i: Any, j: Any) -> Any:
    """Ask for the cache line of X[i, j], which may lie past the end of X: nothing is read."""
    if not (isinstance(X, types.Array) and X.ndim == 2):
        return None

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = cgutils.create_struct_proxy(signature.args[0])(context, builder, args[0])
        strides = cgutils.unpack_tuple(builder, array.strides, 2)
        offset = builder.add(builder.mul(args[1], strides[0]), builder.mul(args[2], strides[1]))
        byte = ir.IntType(8)
        address = builder.gep(builder.bitcast(array.data, byte.as_pointer()), [offset])
        flag = ir.IntType(32)
        function_type = ir.FunctionType(ir.VoidType(), [address.type, flag, flag, flag])
        function = cgutils.get_or_insert_function(builder.module, function_type, "llvm.prefetch.p0")
        # read, keep in level 2, data
        builder.call(function, [address, flag(0), flag(2), flag(1)])
        return context.get_dummy_value()

    return types.void(X, types.int64, types.int64), generate


LOG2_E = 1.4426950408889634
# ln 2 in two parts; the first has trailing zeros, so k * LN2_HIGH is exact for abs(k) < 2048.
LN2_HIGH = 6.93147180369123816490e-01
LN2_LOW = 1.90821492927058770002e-10
# Adding 1.5 * 2**52 rounds to an integer, which then stands in the low bits.
ROUND = 6755399441055744.0
# Below the first, the result would have fewer than 53 bits: it is taken as 0.
EXP_LOW, EXP_HIGH = -708.0, 709.782712893384


@njit(fastmath={"contract"}, error_model="numpy", forceinline=True)
def exp(x: float) -> float:
    """2**k * exp(f), k = round(x / ln 2), abs(f) <= ln(2) / 2, by the Taylor sum to f**13 / 13!.

    The polynomial is evaluated in pairs (Estrin), which halves the chain of dependent products.
    0 below -708 (NumPy: a subnormal number), inf above 709.78.
    """
    clipped = x
    if clipped < EXP_LOW:
        clipped = EXP_LOW
    if clipped > EXP_HIGH:
        clipped = EXP_HIGH
    shifted = clipped * LOG2_E + ROUND
    k = shifted - ROUND
    f = (clipped - k * LN2_HIGH) - k * LN2_LOW
    f2 = f * f
    f4 = f2 * f2
    low = (0.5 + f * 0.16666666666666666) + f2 * (0.041666666666666664 + f * 0.008333333333333333)
    middle = (0.001388888888888889 + f * 0.0001984126984126984) + f2 * (
        2.48015873015873e-05 + f * 2.7557319223985893e-06
    )
    high = (2.755731922398589e-07 + f * 2.505210838544172e-08) + f2 * (
        2.08767569878681e-09 + f * 1.6059043836821613e-10
    )
    value = 1.0 + (f + f2 * (low + f4 * (middle + f4 * high)))
    # 2**k as 2 * 2**(k - 1): k may be 1024, one more than an exponent field holds.
    half_scale = from_bits((bits_of(shifted) - bits_of(ROUND) + 1022) << 52)
    value = (value + value) * half_scale
    if x > EXP_HIGH:
        value = math.inf
    if x < EXP_LOW:
        value = 0.0
    return value


@njit(fastmath={"contract"}, error_model="numpy", forceinline=True)
def log(x: float) -> float:
    """k ln 2 + log(m), m in [sqrt(1/2), sqrt(2)), by the odd series in s = (m - 1) / (m + 1).

    Subnormal x is taken as 0: -inf. NaN for x < 0.
    """
    bits = bits_of(x)
    # Moving the boundary of the exponent field to sqrt(1/2) puts m around 1.
    k = (bits - 0x3FE6A09E667F3BCD) >> 52
    m = from_bits(bits - (k << 52))
    value = _log_near_one(m - 1.0, m + 1.0) + 0.0
    exponent = float(k)
    value = (value + exponent * LN2_LOW) + exponent * LN2_HIGH
    if x < 2.2250738585072014e-308:
        value = -math.inf
    if x < 0.0:
        value = math.nan
    if x > 1.7976931348623157e308:
        value = math.inf
    if x != x:
        value = x
    return value


@njit(fastmath={"contract"}, error_model="numpy", forceinline=True)
def _log_near_one(m_minus_one: float, m_plus_one: float) -> float:
    # log(m) = 2 s + 2 s**3 / 3 + ...; abs(s) <= 0.1716, so the terms to s**21 reach 2**-56.
    s = m_minus_one / m_plus_one
    z = s * s
    z2 = z * z
    z4 = z2 * z2
    low = (0.6666666666666666 + z * 0.4) + z2 * (0.2857142857142857 + z * 0.2222222222222222)
    high = (0.18181818181818182 + z * 0.15384615384615385) + z2 * (
        0.13333333333333333 + z * 0.11764705882352941
    )
    top = 0.10526315789473684 + z * 0.09523809523809523
    # log(m) = f - s * (f - z * series) loses less than 2 s + ...: f = m - 1 is exact.
    series = z * (low + z4 * (high + z4 * top))
    return m_minus_one - s * (m_minus_one - series)


@njit(fastmath={"contract"}, error_model="numpy", forceinline=True)
def log1p(x: float) -> float:
    """log(1 + x): log of the rounded sum, plus the rounding error of that sum over it."""
    total = 1.0 + x
    correction = (x - (total - 1.0)) / total
    value = log(total) + correction
    if total > 1.7976931348623157e308:
        value = total
    if total == 0.0:
        value = -math.inf
    return value


# Numba has no float16 on the CPU: X.view(HALF) hands it the same bytes as records of 16 bits,
# a type of its own, which no real X has.
HALF = np.dtype([("half_bits", np.uint16)])


@intrinsic
def _half_to_double(typing_context: Any, x: Any) -> Any:
    """The float16 whose bits are given, as float64: two instructions on x86 (F16C) and on ARM."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        half = builder.bitcast(args[0], ir.HalfType())
        return builder.fpext(builder.fpext(half, ir.FloatType()), ir.DoubleType())

    return types.float64(types.uint16), generate


def to_double(x: Any) -> float:
    """An entry of X as float64, in a register."""
    return float(x)


@overload(to_double, inline="always")
def _to_double(x):  # Numba compares the bare signatures
    if isinstance(x, types.Record):
        return lambda x: _half_to_double(x.half_bits)
    return lambda x: types.float64(x)


def _method(name: str, implementation: Any) -> None:
    options = {"error_model": "numpy", "forceinline": True}
    overload_method(ScalarNamespaceType, name, jit_options=options)(implementation)


_method("exp", lambda xp, x: lambda xp, x: exp(float(x)))
_method("log", lambda xp, x: lambda xp, x: log(float(x)))
_method("log1p", lambda xp, x: lambda xp, x: log1p(float(x)))
_method("expm1", lambda xp, x: lambda xp, x: math.expm1(x))
_method("sqrt", lambda xp, x: lambda xp, x: math.sqrt(x))
_method("square", lambda xp, x: lambda xp, x: x * x)
_method("abs", lambda xp, x: lambda xp, x: abs(x))
_method("tanh", lambda xp, x: lambda xp, x: math.tanh(x))
_method("sinh", lambda xp, x: lambda xp, x: math.sinh(x))
_method("cosh", lambda xp, x: lambda xp, x: math.cosh(x))
_method("sin", lambda xp, x: lambda xp, x: math.sin(x))
_method("cos", lambda xp, x: lambda xp, x: math.cos(x))
_method("atan", lambda xp, x: lambda xp, x: math.atan(x))
_method("floor", lambda xp, x: lambda xp, x: math.floor(x))
_method("where", lambda xp, test, a, b: lambda xp, test, a, b: a if test else b)
_method("maximum", lambda xp, a, b: lambda xp, a, b: a if (a > b or a != a) else b)
_method("minimum", lambda xp, a, b: lambda xp, a, b: a if (a < b or a != a) else b)
_method("logaddexp", lambda xp, a, b: lambda xp, a, b: _logaddexp(float(a), float(b)))
_method("sign", lambda xp, x: lambda xp, x: 1.0 if x > 0.0 else (-1.0 if x < 0.0 else 0.0 * x))


@njit(error_model="numpy", forceinline=True)
def _logaddexp(a: float, b: float) -> float:
    larger = a if (a > b or a != a) else b
    return larger + log1p(exp(-abs(a - b))) if a != b else a + 0.6931471805599453


def as_block(X: Any, start: int, stop: int, scratch: Any) -> Any:
    """Rows start:stop of a dense C-ordered X as float64: X itself, or converted into `scratch`."""
    scratch[: stop - start] = X[start:stop]
    return scratch[: stop - start]


@overload(as_block)
def _as_block(X, start, stop, scratch):  # as above
    if X.dtype == types.float64:
        return lambda X, start, stop, scratch: X[start:stop]

    def convert(X, start, stop, scratch):  # as above
        for i in range(stop - start):
            row = X[start + i]
            target = scratch[i]
            for j in range(target.shape[0]):
                target[j] = to_double(row[j])
        return scratch[: stop - start]

    return convert
