"""The Gram matrix of some columns of X, which grows as columns are asked for.

The mean squared error is a quadratic whose matrix is the same everywhere: what was once computed
serves every later working set, and every penalty of a path. A new column costs its products with
those that are held, not those of all with all.

With an intercept the matrix is that of the columns less their weighted means: the intercept follows
from the coefficients, b = b_0 - edge @ (W - W_0) for b_0 the best one at W_0.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from array_api_compat import device

from ...backends import Array, Namespace
from ..columns import column_moments, generic_column_products
from ..dispatch import run_kernel
from ..objective import LinearObjective


@dataclass
class ColumnGram:
    """Columns of an objective of the squared error with one output, and their Gram matrix.

    Parameters
    ----------
    objective : LinearObjective
        Of dense X. Its L2 penalty is not read.

    Attributes
    ----------
    columns : array of shape (k,), integers
        In the order in which they came.
    hessian : array of shape (k, k)
        sum_i w_i z_i z_i' / sum_i w_i, z_i being a row of these columns as the objective scales
        them, and less their means where there is an intercept.
    edge : array of shape (k,)
        What the intercept falls by for each coefficient.

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit.backends import get_backend
    >>> from xpfit.core.losses import HALF_SQUARED_ERROR
    >>> X = np.asarray([[1.0, 0.0, 2.0], [3.0, 0.0, 0.0]])
    >>> gram = ColumnGram(LinearObjective(
    ...     X, np.asarray([0.0, 1.0]), None, HALF_SQUARED_ERROR, get_backend("numpy")))
    >>> gram.hold(np.asarray([False, False, True]))
    >>> gram.hold(np.asarray([True, False, True]))
    >>> gram.columns.tolist(), gram.hessian.tolist(), gram.edge.tolist()
    ([2, 0], [[1.0, -1.0], [-1.0, 1.0]], [1.0, 2.0])
    """

    objective: LinearObjective
    columns: Array = field(init=False)
    hessian: Array = field(init=False)
    edge: Array = field(init=False)

    def __post_init__(self) -> None:
        objective, xp = self.objective, self.objective.backend.xp
        where = device(objective.y)
        self._held = xp.zeros((objective.n_features,), dtype=xp.bool, device=where)
        (self.columns,) = xp.nonzero(self._held)
        self.hessian = xp.zeros((0, 0), dtype=objective.dtype, device=where)
        self.edge = self._means = xp.zeros((0,), dtype=objective.dtype, device=where)
        # Taken from the columns before they are multiplied, or means far from zero cost digits.
        self._origin = objective.shift
        if objective.shift is None and objective.fit_intercept:
            objective.rows_read += objective.n_samples
            self._origin = column_moments(
                objective.X, objective.sample_weight,
                backend=objective.backend, fused=objective.fused,
            )[0]  # fmt: skip

    def hold(self, wanted: Array) -> None:
        """Let the columns of this mask, of shape (n_features,), be among those that are held."""
        objective, xp = self.objective, self.objective.backend.xp
        (entering,) = xp.nonzero(wanted & ~self._held)
        if entering.shape[0] == 0:
            return
        k = int(self.columns.shape[0])
        self._held = self._held | wanted
        self.columns = xp.concat([self.columns, entering], axis=0)
        origin = None if self._origin is None else xp.take(self._origin, self.columns, axis=0)
        products, sums = run_kernel(
            objective.backend, "column_products", generic_column_products,
            objective.X, objective.sample_weight, self.columns, k, origin, objective.dtype,
            fused=objective.fused,
        )  # fmt: skip
        objective.rows_read += -(-objective.n_samples * self.columns.shape[0] // wanted.shape[0])
        means = sums / objective.weight_sum
        products = products / objective.weight_sum
        if objective.scale is not None:
            scale = xp.take(objective.scale, self.columns, axis=0)
            means, products = means / scale[k:], products / scale[:, None] / scale[None, k:]
            origin = None if origin is None else origin / scale
        self._means = xp.concat([self._means, means], axis=0)
        if objective.fit_intercept:
            products = products - self._means[:, None] * means[None, :]
            self.edge = self._means
            if objective.shift is None:  # the coefficients are those of the columns as they are
                self.edge = self._means + origin
        else:
            self.edge = xp.zeros_like(self._means)
        self.hessian = _bordered(xp, self.hessian, products)


def _bordered(xp: Namespace, matrix: Array, border: Array) -> Array:
    """A symmetric matrix with more columns, and as many rows."""
    k = matrix.shape[0]
    above = xp.concat([matrix, border[:k, :]], axis=1)
    return xp.concat([above, border.T], axis=0)
