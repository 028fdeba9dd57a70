"""Optimizers that step by the gradient: pointwise rules, applied to trees of arrays."""

from __future__ import annotations

from typing import Any

from ..options import build, no_options
from .adagrad import AdaGrad
from .adam import Adam, AdamW
from .averaging import AverageState, ExponentialAverage, PolyakAverage
from .clipping import clip_by_global_norm, clip_by_value, scaled_to_global_norm
from .rmsprop import RMSProp
from .rule import Optimizer, State, apply_updates
from .sgd import SGD
from .tree import leaves, tree_map, unflatten

__all__ = [
    "SGD",
    "AdaGrad",
    "Adam",
    "AdamW",
    "AverageState",
    "ExponentialAverage",
    "Optimizer",
    "PolyakAverage",
    "RMSProp",
    "State",
    "apply_updates",
    "clip_by_global_norm",
    "clip_by_value",
    "get_optimizer",
    "leaves",
    "scaled_to_global_norm",
    "tree_map",
    "unflatten",
]

OPTIMIZERS = {"sgd": SGD, "adagrad": AdaGrad, "rmsprop": RMSProp, "adam": Adam, "adamw": AdamW}


def get_optimizer(
    optimizer: str | Optimizer, *, source: str = "get_optimizer()", **options: Any
) -> Optimizer:
    """The optimizer of that name with these options, or the one that is given.

    Parameters
    ----------
    optimizer : str or Optimizer
        "sgd", "adagrad", "rmsprop", "adam", "adamw".
    source : str
        Who asks, for the error.
    **options
        Fields of the optimizer.

    Raises
    ------
    ValueError
        For an unknown name, and for an option out of its range.
    TypeError
        For an unknown option, options beside an optimizer that is made already, and anything that
        is neither a name nor an optimizer.

    Examples
    --------
    >>> from xpfit.core.optimizers import get_optimizer
    >>> get_optimizer("adagrad", learning_rate=0.1).n_slots
    1
    """
    if isinstance(optimizer, Optimizer):
        no_options(optimizer, options, source)
        return optimizer
    remedy = "Give one of these names, or an Optimizer."
    if not isinstance(optimizer, str):
        message = f"{source} was given {optimizer!r}: no optimizer, and no name of one. {remedy}"
        raise TypeError(message)
    made: Optimizer = build(
        optimizer, OPTIMIZERS, options, what="optimizer", source=source, remedy=remedy
    )
    return made
