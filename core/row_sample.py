"""Rows drawn with known chances, as an objective of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..backends import Array, Namespace
from .dispatch import compiled
from .objective import LinearObjective
from .passes import is_sparse


@dataclass
class RowSampler:
    """Draws rows of an objective.

    Half of a draw is uniform, half gives every class the same share: rare classes are where a
    uniform sample knows least of the Hessian. Weights make up for unequal chances. The draw is by
    NumPy's generator on the host, so every backend takes the same rows.

    Parameters
    ----------
    objective : LinearObjective
    seed : int
        Of the first draw; each draw takes the next.

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit.backends import get_backend
    >>> from xpfit.core.losses import HALF_SQUARED_ERROR
    >>> objective = LinearObjective(
    ...     np.arange(10.0)[:, None], np.zeros(10), None, HALF_SQUARED_ERROR, get_backend("numpy"))
    >>> RowSampler(objective).draw(4).X.shape
    (4, 1)
    """

    objective: LinearObjective
    seed: int = 0

    def draw(self, n_rows: int) -> LinearObjective:
        """The same objective on `n_rows` rows (all, if there are fewer), less `shift`."""
        seed, self.seed = self.seed, self.seed + 1
        if n_rows >= self.objective.n_samples:
            whole = replace(self.objective, rows_read=0, on_overflow=None)
            return self._centred(whole)
        rng = np.random.default_rng(seed)
        n_candidates = self.objective.n_samples
        if self._candidates is not None:
            n_candidates = self._candidates.shape[0]
        chance = self._chance
        if chance is None or n_candidates <= n_rows:
            drawn = rng.choice(
                n_candidates, min(n_rows, n_candidates), replace=False, shuffle=False
            )
            factor = None
        else:
            drawn = rng.choice(n_candidates, n_rows, p=chance)
            factor = 1.0 / (n_candidates * chance[np.sort(drawn)])
        drawn = np.sort(drawn)
        if self._candidates is not None:
            drawn = self._candidates[drawn]
        return self._centred(self._at(drawn, factor))

    @cached_property
    def _candidates(self) -> np.ndarray[Any, Any] | None:
        # Rows without weight say nothing, and a sample of nothing else has no mean.
        weight = self.objective.sample_weight
        if weight is None:
            return None
        found: np.ndarray[Any, Any] = np.flatnonzero(self.objective.backend.to_numpy(weight) > 0)
        return found

    @cached_property
    def _chance(self) -> np.ndarray[Any, Any] | None:
        if not self.objective.loss.is_multiclass:
            return None
        labels = self.objective.backend.to_numpy(self.objective.y)
        labels = labels if self._candidates is None else labels[self._candidates]
        counts = np.bincount(labels, minlength=self.objective.n_outputs)
        chance: np.ndarray[Any, Any] = 0.5 / labels.shape[0] + 0.5 / (
            np.count_nonzero(counts) * counts[labels]
        )
        return chance

    def _centred(self, sample: LinearObjective) -> LinearObjective:
        # The same function of theta, with `shift` taken off the rows: what a Gram matrix of the
        # rows as they are would lose to a large mean is kept.
        if sample.shift is None or is_sparse(sample.X):
            return sample
        X = compiled(sample.backend, _less, sample.dtype)(sample.X, sample.shift)
        return replace(sample, X=X, shift=None, rows_read=0)

    def _at(
        self, drawn: np.ndarray[Any, Any], factor: np.ndarray[Any, Any] | None
    ) -> LinearObjective:
        objective, backend = self.objective, self.objective.backend
        xp, rows = backend.xp, backend.from_numpy(drawn)
        X = objective.X[drawn, :] if is_sparse(objective.X) else xp.take(objective.X, rows, axis=0)
        weight = objective.sample_weight
        weight = None if weight is None else xp.take(weight, rows, axis=0)
        if factor is not None:
            moved = backend.from_numpy(factor.astype(objective.host_dtype))
            weight = moved if weight is None else weight * moved
        return replace(
            objective, X=X, y=xp.take(objective.y, rows, axis=0), sample_weight=weight,
            rows_read=0, on_overflow=None, weight_sum=None,
        )  # fmt: skip


def _less(xp: Namespace, dtype: Any, X: Array, shift: Array) -> Array:
    return xp.astype(X, dtype) - shift[None, :]
