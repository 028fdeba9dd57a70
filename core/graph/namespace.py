"""The namespace over nodes: the array standard's names, and the NumPy names that people write.

`namespace(xp)` is made once for each array library. On plain arrays its functions are those of the
library; on nodes and dual numbers they also note what happened.
"""

from __future__ import annotations

import functools
from types import SimpleNamespace
from typing import Any

from array_api_compat import array_namespace

from ...backends import Array
from . import library
from . import structural as rules
from .composed import COMPOSED, LINALG, Unlisted, has_box, on_boxes, unlisted
from .elementwise import FACTORS, FLAT, Binary, Elementwise, Unary
from .node import Box, unboxed
from .primitive import Primitive, Structural
from .tracer import concrete, record

# NumPy's names for what the standard calls otherwise.
ALIASES = {
    "power": "pow", "absolute": "abs", "arcsin": "asin", "arccos": "acos", "arctan": "atan",
    "arctan2": "atan2", "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh",
    "true_divide": "divide", "concatenate": "concat", "amax": "max", "amin": "min",
    "cumsum": "cumulative_sum", "fabs": "abs",
}  # fmt: skip

# Functions of arrays that have no derivative: nodes are taken off their boxes.
PLAIN = (
    "isclose", "allclose", "array_equal", "count_nonzero", "signbit", "isfinite", "isnan", "isinf",
    "equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "logical_and",
    "logical_or", "logical_not", "argmax", "argmin", "argsort", "nonzero", "any", "all",
)  # fmt: skip

# Functions of shapes and dtypes alone.
OF_SHAPES = ("zeros_like", "ones_like", "empty_like", "shape", "ndim", "size", "result_type")

# name: (pull, push, the options that they know), the options as in `Structural`.
STRUCTURAL: dict[str, tuple[Any, Any, Any]] = {
    "sum": (rules.pull_sum, None, ("axis", "keepdims")),
    "mean": (rules.pull_mean, None, ("axis", "keepdims")),
    "max": (rules.pull_extreme, rules.push_extreme, ("axis", "keepdims")),
    "min": (rules.pull_extreme, rules.push_extreme, ("axis", "keepdims")),
    "reshape": (rules.pull_reshape, None, ("shape",)),
    "expand_dims": (rules.pull_reshape, None, ("axis",)),
    "squeeze": (rules.pull_reshape, None, ("axis",)),
    "matrix_transpose": (rules.pull_transpose, None, ()),
    "permute_dims": (rules.pull_permute, None, ("axes",)),
    "broadcast_to": (rules.pull_broadcast, None, ("shape",)),
    "where": (rules.pull_where, rules.push_where, None),
    "matmul": (rules.pull_matmul, rules.push_matmul, None),
    "cumulative_sum": (rules.pull_cumulative_sum, None, ("axis", "include_initial")),
    "flip": (rules.pull_flip, None, ("axis",)),
}


class GraphNamespace:
    """Functions over arrays of one library, over nodes, and over both; see `namespace`."""

    def __init__(self, xp: Any) -> None:
        self._xp = xp
        for name, factors in FACTORS.items():
            if hasattr(xp, name):
                function = library.OPERATORS.get(name) or getattr(xp, name)
                kind = Unary if len(factors) == 1 else Binary
                setattr(self, name, kind(name, function, self, factors))
        for name in FLAT:
            if hasattr(xp, name):
                setattr(self, name, Unary(name, getattr(xp, name), self, (None,)))
        for name, (pull, push, names) in STRUCTURAL.items():
            function = library.SPECIAL[name](xp) if name in library.SPECIAL else getattr(xp, name)
            setattr(self, name, Structural(name, function, self, pull, push, names))
        for name, composed in COMPOSED.items():
            if hasattr(xp, name):
                setattr(self, name, on_boxes(composed, self, getattr(xp, name)))
        for name in PLAIN:
            if hasattr(xp, name):
                setattr(self, name, _without_boxes(name, getattr(xp, name)))
        for name in OF_SHAPES:
            if hasattr(xp, name):
                setattr(self, name, _of_shapes(getattr(xp, name)))
        self.getitem = Structural("getitem", library.getitem, self, rules.pull_getitem)
        self._astype = Structural("astype", xp.astype, self, rules.pull_astype)
        self._take = Structural(
            "take", getattr(xp, "take", None) or library.getitem, self, rules.pull_take
        )
        self._put = Structural("put", functools.partial(library.put, xp), self, rules.pull_put)
        self._concat = Structural(
            "concat",
            functools.partial(library.concat, xp),
            self,
            rules.pull_concat,
            rules.push_concat,
        )
        self.solve = Structural("solve", xp.linalg.solve, self, rules.pull_solve, rules.push_solve)
        listed: dict[str, Any] = {
            name: on_boxes(composed, self, getattr(xp.linalg, name))
            for name, composed in LINALG.items()
            if hasattr(xp.linalg, name)
        }
        listed |= {"solve": self.solve, "matmul": self.matmul}
        self.linalg = Unlisted("linalg", xp.linalg, listed)
        # For derivatives of plain arrays: the library's functions, without a look for nodes.
        self.plain = SimpleNamespace(
            zeros_like=xp.zeros_like,
            where=library.where_of(xp),
            **{k: own.function for k, own in vars(self).items() if isinstance(own, Elementwise)},
        )
        for ours, theirs in ALIASES.items():
            if theirs != "concat" and hasattr(self, theirs):
                setattr(self, ours, getattr(self, theirs))

    def __getattr__(self, name: str) -> Any:
        # Constants, dtypes, functions that make arrays from none, and those that no rule knows.
        found = unlisted(name, getattr(self._xp, name))
        if isinstance(found, Unlisted):
            setattr(self, name, found)
        return found

    def concat(self, arrays: Any, axis: int | None = 0) -> Any:
        """One array after the other along an axis; None: the numbers of all in a row."""
        if axis is None:
            arrays, axis = [self.reshape(array, (-1,)) for array in arrays], 0
        return self._concat(*arrays, axis=axis)

    concatenate = concat

    def astype(self, x: Any, dtype: Any, *, copy: bool = True) -> Any:
        """x in another dtype; followed where that is floating."""
        if isinstance(x, Box) and self._xp.isdtype(dtype, ("real floating", "complex floating")):
            return self._astype(x, dtype)
        plain = unboxed(x)
        if isinstance(plain, Box):
            return record("astype", self._xp.astype, (plain, dtype))
        return self._xp.astype(plain, dtype, copy=copy)

    def stack(self, arrays: Any, axis: int = 0) -> Any:
        """Arrays of one shape along a new axis."""
        return self.concat([self.expand_dims(array, axis=axis) for array in arrays], axis=axis)

    def dot(self, a: Any, b: Any) -> Any:
        """NumPy's dot for vectors, matrices and numbers."""
        plain = unboxed(a), unboxed(b)
        if any(getattr(x, "ndim", 0) == 0 for x in plain):
            return self.multiply(a, b)
        return self.matmul(a, b)

    def outer(self, a: Any, b: Any) -> Any:
        """a_i b_j."""
        return self.multiply(self.reshape(a, (-1, 1)), self.reshape(b, (1, -1)))

    def vecdot(self, a: Any, b: Any, *, axis: int = -1) -> Any:
        """sum over an axis of a b."""
        return self.sum(self.multiply(a, b), axis=axis)

    def transpose(self, x: Any, axes: Any = None) -> Any:
        """The axes in another order; None: all the other way round."""
        order = tuple(range(x.ndim - 1, -1, -1)) if axes is None else tuple(axes)
        return self.permute_dims(x, order)

    def full_like(self, x: Any, fill_value: Any, **options: Any) -> Any:
        """An array of one number, of the shape of x."""
        if isinstance(fill_value, Box) and not options:
            return self.broadcast_to(fill_value, x.shape)
        return self._xp.full_like(concrete(unboxed(x)), fill_value, **options)

    def clip(self, x: Any, min: Any = None, max: Any = None) -> Any:
        """x within bounds; the derivative at a bound is that of x."""
        if not has_box((x, min, max)):
            return x if min is None and max is None else self._xp.clip(x, min, max)
        if min is not None:
            x = self.where(unboxed(x) < unboxed(min), min, x)
        if max is not None:
            x = self.where(unboxed(x) > unboxed(max), max, x)
        return x

    def einsum(self, subscripts: str, *arrays: Any) -> Any:
        """Sums of products by their letters; "->" must be there, and no letter twice in a term."""
        return _einsum(self, subscripts, arrays)


def _without_boxes(name: str, function: Any) -> Any:
    @functools.wraps(function)
    def plain(*arguments: Any, **options: Any) -> Any:
        inner = tuple(unboxed(argument) for argument in arguments)
        if any(isinstance(argument, Box) for argument in inner):
            return record(name, function, inner, options)
        return function(*inner, **options)

    return plain


def _of_shapes(function: Any) -> Any:
    @functools.wraps(function)
    def plain(*arguments: Any, **options: Any) -> Any:
        return function(*concrete(tuple(map(unboxed, arguments))), **options)

    return plain


def _einsum(space: Any, subscripts: str, arrays: Any) -> Any:
    terms, found, wanted = subscripts.replace(" ", "").partition("->")
    letters = terms.split(",")
    if not found or len(letters) != len(arrays) or any(len(set(t)) < len(t) for t in letters):
        message = (
            f"einsum was asked for {subscripts!r} of {len(arrays)} arrays. Write one term for each "
            'array and "->" with what is wanted; a letter may stand once in a term.'
        )
        raise ValueError(message)
    every = wanted + "".join(sorted({c for t in letters for c in t} - set(wanted)))
    product = None
    for term, array in zip(letters, arrays, strict=True):
        present = [c for c in every if c in term]
        array = space.permute_dims(array, tuple(term.index(c) for c in present))
        sizes = dict(zip(present, array.shape, strict=True))
        array = space.reshape(array, tuple(sizes.get(c, 1) for c in every))
        product = array if product is None else space.multiply(product, array)
    summed = tuple(range(len(wanted), len(every)))
    return space.sum(product, axis=summed) if summed else product


@functools.cache
def namespace(xp: Any) -> GraphNamespace:
    """The namespace over nodes of an array library.

    Parameters
    ----------
    xp : module
        Array-API namespace.

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit.core.graph import grad, namespace
    >>> xp = namespace(np)
    >>> grad(lambda x: xp.sum(xp.sin(x) * x))(np.asarray([0.0, 1.0])).round(4).tolist()
    [0.0, 1.3818]
    """
    return GraphNamespace(xp)


def space_of(value: Array) -> GraphNamespace:
    """The namespace over nodes of the library of an array, or of what a box holds."""
    if isinstance(value, Box):
        space: GraphNamespace = value.space
        return space
    return namespace(array_namespace(value))


__all__ = ["GraphNamespace", "Primitive", "namespace", "space_of"]
