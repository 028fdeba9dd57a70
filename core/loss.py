"""What a loss is: a few formulas with respect to `raw_prediction`, and what they are defined on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

from ..backends import Array, Namespace

Formula = Callable[..., Array]


def identity_inverse_link(xp: Namespace, raw_prediction: Array) -> Array:
    """The raw prediction is the mean."""
    return raw_prediction


def identity_link(mean: float) -> float:
    """The mean is the raw prediction."""
    return mean


@dataclass(frozen=True)
class PointwiseLoss:
    """A loss of one target and one raw prediction per sample.

    Parameters
    ----------
    name : str
        In the field's terms; it says the scale ("half_squared_error").
    value : callable
        `value(xp, y, raw_prediction, *parameters)`, element-wise.
    gradient, curvature : callable
        First and second derivative of `value` with respect to `raw_prediction`. The curvature
        must not be negative. It may be zero.
    inverse_link : callable
        `inverse_link(xp, raw_prediction)`: the predicted mean of y.
    link : callable
        Inverse of `inverse_link` for one Python float: where the intercept starts.
    domain : tuple (low, high, low_included, high_included)
        Values of y for which the loss is defined.
    parameters : tuple of float
        Handed to all three formulas.

    Examples
    --------
    A user's own loss is three formulas; it runs fused on every backend that fuses:

    >>> from xpfit.core.losses import PointwiseLoss
    >>> def value(xp, y, raw_prediction):
    ...     return xp.log(xp.cosh(raw_prediction - y))
    >>> def gradient(xp, y, raw_prediction):
    ...     return xp.tanh(raw_prediction - y)
    >>> def curvature(xp, y, raw_prediction):
    ...     return 1.0 - xp.tanh(raw_prediction - y) ** 2
    >>> PointwiseLoss("log_cosh", value, gradient, curvature).name
    'log_cosh'
    """

    name: str
    value: Formula
    gradient: Formula
    curvature: Formula
    inverse_link: Formula = identity_inverse_link
    link: Callable[[float], float] = identity_link
    domain: tuple[float, float, bool, bool] = (float("-inf"), float("inf"), False, False)
    parameters: tuple[float, ...] = ()

    is_multiclass: ClassVar[Literal[False]] = False

    def captured_numbers(self) -> tuple[float, ...]:
        """The numbers that the formulas take from around them, as they are now.

        A compiled kernel has them built in; they are part of what it is known by.
        """
        return tuple(
            number
            for formula in (self.value, self.gradient, self.curvature)
            for number in _numbers_around(formula)
        )


@dataclass(frozen=True)
class MulticlassLoss:
    """A loss of one class label and `n_classes` raw predictions per sample.

    Parameters
    ----------
    name : str
    value : callable
        `value(xp, y, raw_prediction)`: (n_samples,) labels, (n_samples, n_classes) -> (n_samples,)
    gradient : callable
        As `value`, with shape (n_samples, n_classes).
    curvature_product : callable
        `curvature_product(xp, y, raw_prediction, direction)`: the Hessian of each sample times
        the direction of that sample, (n_samples, n_classes).
    curvature : callable
        Diagonal of that Hessian, (n_samples, n_classes).
    inverse_link : callable
        Probabilities, (n_samples, n_classes).
    fused_as : str or None
        Name under which a backend may have a kernel for exactly this loss.
    """

    name: str
    value: Formula
    gradient: Formula
    curvature_product: Formula
    curvature: Formula
    inverse_link: Formula
    parameters: tuple[float, ...] = ()
    fused_as: str | None = None

    is_multiclass: ClassVar[Literal[True]] = True

    def captured_numbers(self) -> tuple[float, ...]:
        """As that of PointwiseLoss; none here."""
        return ()


def _numbers_around(formula: Formula) -> list[float]:
    code = getattr(formula, "__code__", None)
    if code is None:
        return []
    cells = [
        cell.cell_contents for cell in formula.__closure__ or () if cell.cell_contents is not None
    ]
    around = [formula.__globals__.get(name) for name in code.co_names] + cells
    return [value for value in around if isinstance(value, int | float)]


Loss = PointwiseLoss | MulticlassLoss
