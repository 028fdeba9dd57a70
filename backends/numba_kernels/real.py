"""Functions for float32 and float64 by one name, and the switch that flushes subnormal numbers.

A kernel that calls these compiles for either type. `number(like, 0.5)` is 0.5 in the type of an
array: a plain 0.5 would make float64 of float32.
"""

from __future__ import annotations

import math
import platform
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from . import scalar, single

exp_of_double, log1p_of_double = scalar.exp, scalar.log1p
exp_of_single, log1p_of_single, tanh_of_single = single.exp, single.log1p, single.tanh
double_of = scalar.to_double


def number(like: Any, value: Any) -> Any:
    """A number in the type of an array."""
    return like.dtype.type(value)


@overload(number, inline="always")
def _number(like, value):  # Numba compares the bare signatures
    if like.dtype == types.float32:
        return lambda like, value: types.float32(value)
    return lambda like, value: types.float64(value)


def entry(like: Any, x: Any) -> Any:
    """An entry of X in the type of an array."""
    return like.dtype.type(x)


@overload(entry, inline="always")
def _entry(like, x):
    if isinstance(x, types.Record):  # float16: see `scalar.HALF`
        return lambda like, x: number(like, double_of(x))
    return lambda like, x: number(like, x)


def exp(x: Any) -> Any:
    """exp(x)."""
    return math.exp(x)


@overload(exp, inline="always")
def _exp(x):
    if x == types.float32:
        return lambda x: exp_of_single(x)
    return lambda x: exp_of_double(x)


def log1p(x: Any) -> Any:
    """log(1 + x) for x in [0, 1]."""
    return math.log1p(x)


@overload(log1p, inline="always")
def _log1p(x):
    if x == types.float32:
        return lambda x: log1p_of_single(x)
    return lambda x: log1p_of_double(x)


def tanh(x: Any) -> Any:
    """tanh(x)."""
    return math.tanh(x)


@overload(tanh, inline="always")
def _tanh(x):
    if x == types.float32:
        return lambda x: tanh_of_single(x)
    return lambda x: math.tanh(x)


# Flush to zero, and take subnormal operands as zero.
_FLUSH = 0x8040
_IS_X86 = platform.machine().lower() in ("x86_64", "amd64")


@intrinsic
def swap_float_mode(typing_context: Any, mode: Any) -> Any:
    """Set the control word of the vector unit (0: its present one, flushing); returns the old one.

    Averages of gradients that have become 0 decay into subnormal numbers and stay there, on which
    some processors take a hundred times as long. Only x86 has this word; elsewhere nothing is done.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word = ir.IntType(32)
        if not _IS_X86:
            return word(0)
        slot = cgutils.alloca_once(builder, word)
        pointer = builder.bitcast(slot, ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [pointer.type])

        def call(name: str) -> None:
            function = cgutils.get_or_insert_function(builder.module, kind, name)
            builder.call(function, [pointer])

        call("llvm.x86.sse.stmxcsr")
        old = builder.load(slot)
        flushing = builder.or_(old, word(_FLUSH))
        chosen = builder.select(builder.icmp_unsigned("==", args[0], word(0)), flushing, args[0])
        builder.store(chosen, slot)
        call("llvm.x86.sse.ldmxcsr")
        return old

    return types.uint32(types.uint32), generate
