"""Dropout: units left out at random while training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from array_api_compat import device

from ...backends import Array, Namespace
from .layer import Layer, Moment
from .uniform import ALL, random_bits


@dataclass(frozen=True)
class Dropout(Layer):
    """output = x * mask / (1 - rate) while training, else x; dx = d_output * mask / (1 - rate).

    Each entry of the mask is 0 with probability `rate`, else 1, anew for every batch.

    Parameters
    ----------
    rate : float in [0, 1)

    Raises
    ------
    ValueError
        For a rate outside of that, and in training without a key.

    References
    ----------
    Srivastava et al. 2014, Dropout: a simple way to prevent neural networks from overfitting.

    Examples
    --------
    >>> import numpy as np
    >>> moment = Moment(training=True, key=np.asarray(7, dtype=np.uint32))
    >>> Dropout(0.5).forward(np, (), (), np.ones((2, 3)), moment)[0].tolist()
    [[0.0, 0.0, 2.0], [2.0, 0.0, 2.0]]
    """

    name = "dropout"

    rate: float = 0.5

    def __post_init__(self) -> None:
        if not 0.0 <= self.rate < 1.0:
            message = (
                f"Dropout was asked for rate={self.rate!r}, the share of units left out. It must "
                "be at least 0 and below 1."
            )
            raise ValueError(message)

    @property
    def is_random(self) -> bool:  # type: ignore[override]
        return self.rate > 0.0

    @property
    def numbers(self) -> tuple[float, ...]:
        return (float(self.rate),)

    def forward(
        self,
        xp: Namespace,
        parameters: tuple[Array, ...],
        statistics: tuple[Array, ...],
        x: Array,
        moment: Moment,
    ) -> tuple[Array, Any, tuple[Array, ...]]:
        if not moment.training or self.rate == 0.0:
            return x, None, statistics
        if moment.key is None:
            message = (
                "Dropout was given no key, and draws its mask from one. Pass key=, an array of "
                "shape () of uint32, to a training pass."
            )
            raise ValueError(message)
        least = xp.asarray(int(self.rate * ALL), dtype=xp.uint32, device=device(x))
        kept = xp.astype(random_bits(xp, moment.key, x) >= least, x.dtype)
        factor = kept * (1.0 / (1.0 - self.rate))
        return x * factor, factor, statistics

    def backward(
        self, xp: Namespace, parameters: tuple[Array, ...], context: Any, d_output: Array
    ) -> tuple[Array, tuple[Array, ...]]:
        return d_output if context is None else d_output * context, ()
