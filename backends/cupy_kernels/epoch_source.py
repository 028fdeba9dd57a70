"""The CUDA C++ text of mini-batch descent: formulas of a loss, rule of an optimizer, kernels.

Pure functions of strings and numbers, as in `source.py`.
"""

from __future__ import annotations

from typing import NamedTuple

from ..constants import NORM_FLOOR
from ..formula_source import names_around
from . import batch_kernel, epoch_kernel
from .epoch_geometry import EpochCut
from .formula import HELPERS, translate
from .prelude import SUM_OVER_WARPS, prelude
from .source import Formula, Formulas, arguments_of, fill, truth, with_parameters


class PointwiseRule(NamedTuple):
    """The rule of an optimizer; two are equal if one kernel serves both."""

    rule: Formula
    n_slots: int
    n_scalars: int
    captured_numbers: tuple[float, ...]


def rule_of(rule: Formula, n_slots: int, n_scalars: int) -> PointwiseRule:
    """The rule of a plan, with the numbers that it takes from around it, as they are now."""
    around = names_around(rule).values()
    numbers = tuple(float(value) for value in around if isinstance(value, int | float))
    return PointwiseRule(rule, n_slots, n_scalars, numbers)


def epoch_source(
    formulas: Formulas | None, rule: PointwiseRule, stored: str, computed: str, cut: EpochCut
) -> str:
    """An epoch, the kernel `minibatch_epoch`; or its steps, `batch_sums` and `batch_step`.

    Parameters
    ----------
    formulas : Formulas or None
        None: the half multinomial loss.
    rule : PointwiseRule
    stored, computed : str
        Names of the dtypes of X and of the parameters.
    cut : EpochCut
        It says which of the two.

    Raises
    ------
    KernelCompileError
        Where a formula of the loss or the rule cannot be translated.

    Examples
    --------
    >>> from xpfit.backends.cupy_kernels.epoch_geometry import epoch_cut
    >>> from xpfit.core.optimizers import SGD
    >>> rule = rule_of(SGD().rule, 0, 1)
    >>> text = epoch_source(None, rule, "uint8", "float64", epoch_cut(785, 10, 8, 1, 8, True))
    >>> "\\nminibatch_epoch(" in text, "void update_rule(T* out, T v1_gradient" in text
    (True, True)
    """
    count = 0 if formulas is None else formulas.n_parameters
    batch = with_parameters(
        batch_kernel.BATCH,
        count,
        points=_points(formulas),
        target="long long" if formulas is None else "Number",
        c_order=truth(cut.c_order),
        lanes=cut.lanes,
        rows=cut.rows,
        columns=cut.columns,
        split=cut.split,
        classes=cut.classes,
        n_slots=rule.n_slots,
        n_scalars=rule.n_scalars,
    )
    kernels = epoch_kernel.EPOCH if cut.one_block else epoch_kernel.STEPWISE
    parts = [
        prelude(stored, computed, 1, cut.threads),
        SUM_OVER_WARPS,
        HELPERS,
        *_translated(formulas),
        update_rule(rule),
        batch,
        step_of(rule),
        epoch_kernel.MEAN,
        with_parameters(kernels, count, in_shared=truth(cut.in_shared)),
    ]
    return "\n".join(parts)


def update_rule(rule: PointwiseRule) -> str:
    """The rule of an optimizer in C++: `update_rule`."""
    name = getattr(rule.rule, "__name__", "a rule")
    return translate(rule.rule, "update_rule", name, 1 + rule.n_slots)


def step_of(rule: PointwiseRule) -> str:
    """The step of one parameter by `update_rule`, and what comes before it."""
    slots = [f"state[{slot} * size + p]" for slot in range(1, rule.n_slots + 1)]
    scalars = [f"numbers[{place}]" for place in range(rule.n_scalars)]
    return fill(
        epoch_kernel.STEP,
        rule_arguments=", ".join(["gradient", "parameter", *slots, *scalars]),
        norm_floor=repr(NORM_FLOOR),
    )


def _translated(formulas: Formulas | None) -> list[str]:
    if formulas is None:
        return []
    return [
        translate(formulas.value, "loss_value", formulas.name),
        translate(formulas.gradient, "loss_gradient", formulas.name),
    ]


def _points(formulas: Formulas | None) -> str:
    if formulas is None:
        return batch_kernel.SOFTMAX
    count = formulas.n_parameters
    return with_parameters(batch_kernel.POINTWISE, count, arguments=arguments_of(count))
