"""What a fit by epochs does beside its optimizer."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class EpochOptions:
    """What a fit by epochs does beside its optimizer.

    Parameters
    ----------
    batch_size : int
    max_iter : int
        Epochs.
    tol : float or None
        An epoch improves if it lowers the watched cost by more than this; None: never stop early.
    n_iter_no_change : int
        Epochs without improvement after which the fit ends.
    shuffle : bool
    average_from : int or None
        Step from which on parameters are averaged.
    max_norm : float
        Gradients of a larger norm are scaled down to it.
    adaptive : bool
        Where the cost does not improve, divide the learning rate by 5 and go on.
    gradient_tol : float or None
        Form the cost and the gradient of all rows after each epoch, in one pass more, and stop
        where no entry of the gradient is larger. Not with held-out rows.
    """

    batch_size: int = 32
    max_iter: int = 1000
    tol: float | None = 1e-3
    n_iter_no_change: int = 10
    shuffle: bool = True
    average_from: int | None = None
    max_norm: float = math.inf
    adaptive: bool = False
    gradient_tol: float | None = None
