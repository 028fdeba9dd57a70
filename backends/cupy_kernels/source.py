"""The whole CUDA C++ text of a kernel: prelude, formulas of the loss where it has one, kernel.

Pure functions of strings and numbers, so that everything a GPU would compile can be made, compiled
and run for the CPU without one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from . import lbfgs_kernel, multinomial_kernel, row_kernel
from .formula import HELPERS, translate
from .geometry import MOST_PAIRS, THREADS, RowGeometry, TileGeometry
from .prelude import ADD_SLOTS, SUM_OVER_WARPS, prelude

Formula = Callable[..., Any]


class Formulas(NamedTuple):
    """What the passes need of a pointwise loss; two are equal if one kernel serves both.

    `captured_numbers` are those that the formulas take from around them, as they are now: a kernel
    has them built in.
    """

    name: str
    value: Formula
    gradient: Formula
    curvature: Formula
    n_parameters: int
    captured_numbers: tuple[float, ...]


def formulas_of(loss: Any) -> Formulas:
    """The formulas of a pointwise loss of `core`."""
    return Formulas(
        loss.name,
        loss.value,
        loss.gradient,
        loss.curvature,
        len(loss.parameters),
        loss.captured_numbers(),
    )


def fill(text: str, **values: Any) -> str:
    """The text with each `{name}` replaced."""
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text


def truth(value: bool) -> str:
    """A truth value in C++."""
    return "true" if value else "false"


def _row_body(geometry: RowGeometry) -> str:
    if geometry.c_order:
        spread = geometry.owners >= 32
        units = geometry.rows if spread else THREADS // 32
    else:
        units = max(1, geometry.rows // 32)
    return fill(
        row_kernel.BODY,
        c_order=truth(geometry.c_order),
        owners=geometry.owners,
        entries=geometry.entries,
        held=geometry.held_rows,
        parts=geometry.parts,
        units=units,
    )


def with_parameters(text: str, count: int, **values: Any) -> str:
    """The text with the parameters of a loss declared and handed on, and other names replaced."""
    names = [f"p{index}" for index in range(count)]
    declared = "".join(f", Number {name}" for name in names)
    return fill(text, parameters=declared, names="".join(f", {name}" for name in names), **values)


def loss_gradient_source(
    formulas: Formulas, stored: str, computed: str, geometry: RowGeometry
) -> str:
    """Loss and gradient of a pointwise loss; the kernel is `row_pass`.

    Parameters
    ----------
    formulas : Formulas
    stored, computed : str
        Names of the dtypes of X and of the sums.
    geometry : RowGeometry

    Raises
    ------
    KernelCompileError
        Where a formula cannot be translated.

    Examples
    --------
    >>> from xpfit.core.losses import HALF_BINOMIAL
    >>> from xpfit.backends.cupy_kernels.geometry import row_geometry
    >>> text = loss_gradient_source(
    ...     formulas_of(HALF_BINOMIAL), "float32", "float32", row_geometry(9, 4, (4, 4), True, 256))
    >>> "T loss_value(T v1_y, T v2_raw_prediction)" in text, "row_pass(" in text
    (True, True)
    """
    count = formulas.n_parameters
    arguments = arguments_of(count)
    point = with_parameters(
        row_kernel.POINT,
        count,
        value=f"weight * loss_value<Number>({arguments})",
        gradient=f"loss_gradient<Number>({arguments})",
    )
    return _row_source(
        stored,
        computed,
        geometry,
        translate(formulas.value, "loss_value", formulas.name),
        translate(formulas.gradient, "loss_gradient", formulas.name),
        point,
        row_kernel.FINISH,
        with_parameters(row_kernel.PASS, count, vectors=1),
    )


def curvature_product_source(
    formulas: Formulas, stored: str, computed: str, geometry: RowGeometry
) -> str:
    """Hessian of a pointwise loss times a direction; the kernel is `row_pass`."""
    count = formulas.n_parameters
    arguments = arguments_of(count)
    point = with_parameters(
        row_kernel.POINT,
        count,
        value="Number(0)",
        gradient=f"(loss_curvature<Number>({arguments}) * along)",
    )
    return _row_source(
        stored,
        computed,
        geometry,
        translate(formulas.curvature, "loss_curvature", formulas.name),
        point,
        row_kernel.FINISH,
        with_parameters(row_kernel.PASS, count, vectors=2),
    )


def predict_raw_source(stored: str, computed: str, geometry: RowGeometry) -> str:
    """X @ w + b; the kernel is `predict_raw`."""
    return _row_source(stored, computed, geometry, row_kernel.PREDICT)


def arguments_of(n_parameters: int) -> str:
    """What the formulas of a loss are called with."""
    return "".join(["y, raw", *(f", p{index}" for index in range(n_parameters))])


def _row_source(stored: str, computed: str, geometry: RowGeometry, *parts: str) -> str:
    head = prelude(stored, computed, geometry.vector, THREADS)
    return "\n".join([head, HELPERS, _row_body(geometry), *parts, ADD_SLOTS])


def multinomial_source(stored: str, computed: str, tile: TileGeometry) -> str:
    """Loss and gradient of the half multinomial loss; the kernel is `multinomial_pass`."""
    body = fill(
        multinomial_kernel.BODY,
        c_order=truth(tile.c_order),
        rows=tile.tile_rows,
        columns=tile.padded_columns,
        split=tile.split,
    )
    return "\n".join([prelude(stored, computed, tile.vector, THREADS), body, ADD_SLOTS])


def lbfgs_update_source(computed: str, threads: int) -> str:
    """An iteration of L-BFGS but its pass; the kernel is `lbfgs_update`."""
    body = fill(lbfgs_kernel.UPDATE, pairs=MOST_PAIRS, most_scaled=lbfgs_kernel.MOST_SCALED)
    return "\n".join([prelude(computed, computed, 1, threads), SUM_OVER_WARPS, body])


def step_numbers_source(computed: str, threads: int) -> str:
    """The four numbers of an attempt; the kernel is `step_numbers`."""
    return "\n".join([prelude(computed, computed, 1, threads), lbfgs_kernel.NUMBERS])
