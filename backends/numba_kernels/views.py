"""Parts of a flat array as arrays that own nothing.

A slice counts its references, and `reshape` asks at run time whether it may: together a third of
the time that the kernel of the networks took to compile, and of an epoch of small layers. The array
that is viewed must outlive the view: it is an argument of the function that takes one.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array


def _viewed(context: Any, builder: Any, flat_type: Any, flat: Any, start: Any, shape: Any) -> Any:
    # `shape`: LLVM values. C order.
    kind = types.Array(flat_type.dtype, len(shape), "C")
    source = make_array(flat_type)(context, builder, flat)
    view = make_array(kind)(context, builder)
    size = context.get_constant(
        types.intp, context.get_abi_sizeof(context.get_data_type(flat_type.dtype))
    )
    strides = [size]
    for length in reversed(shape[1:]):
        strides.insert(0, builder.mul(length, strides[0]))
    populate_array(
        view, data=builder.gep(source.data, [start]), shape=cgutils.pack_array(builder, shape),
        strides=cgutils.pack_array(builder, strides), itemsize=size, meminfo=None, parent=None,
    )  # fmt: skip
    return view._getvalue()


def _is_flat(array: Any) -> bool:
    return isinstance(array, types.Array) and array.ndim == 1 and array.layout == "C"


@intrinsic
def part(typing_context: Any, flat: Any, start: Any, n: Any) -> Any:
    """flat[start : start + n]."""
    if not _is_flat(flat):
        return None

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _viewed(context, builder, signature.args[0], args[0], args[1], [args[2]])

    kind = types.Array(flat.dtype, 1, "C")
    return kind(flat, types.intp, types.intp), generate


@intrinsic
def matrix(typing_context: Any, flat: Any, start: Any, m: Any, n: Any) -> Any:
    """flat[start : start + m * n].reshape(m, n)."""
    if not _is_flat(flat):
        return None

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _viewed(context, builder, signature.args[0], args[0], args[1], list(args[2:]))

    kind = types.Array(flat.dtype, 2, "C")
    return kind(flat, types.intp, types.intp, types.intp), generate
