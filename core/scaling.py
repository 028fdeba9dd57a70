"""Standardizing the columns as algebra on W and b: the linear map from theta to coefficients for X
as it is stored, its inverse and its transposes."""

from __future__ import annotations

from typing import NamedTuple

from array_api_compat import device

from ..backends import Array, Namespace


class Scaling(NamedTuple):
    """W_raw = W / scale, b_raw = b - shift @ W_raw; a matrix stands for W with b as its last row.

    On X these give the predictions that W and b give on (X - shift) / scale.

    Examples
    --------
    >>> import numpy as np
    >>> scaling = Scaling(np, np.asarray([1.0]), np.asarray([2.0]), True)
    >>> W, b = scaling.to_raw(np.asarray([[4.0], [3.0]]))
    >>> float(W[0, 0]), float(b[0])
    (2.0, 1.0)
    """

    xp: Namespace
    shift: Array | None  # shape=(n_features,)
    scale: Array | None  # shape=(n_features,)
    fit_intercept: bool

    def to_raw(self, matrix: Array) -> tuple[Array, Array]:
        """Coefficients of a matrix. The map is linear: it serves points and directions alike."""
        if self.fit_intercept:
            W, b = matrix[:-1, :], matrix[-1, :]
        else:
            W = matrix
            b = self.xp.zeros((matrix.shape[1],), dtype=matrix.dtype, device=device(matrix))
        if self.scale is not None:
            W = W / self.scale[:, None]
        if self.shift is not None:
            b = b - self.shift @ W
        return W, b

    def from_raw(self, W: Array, b: Array) -> Array:
        """The matrix that stands for coefficients."""
        if self.shift is not None:
            b = b + self.shift @ W
        if self.scale is not None:
            W = W * self.scale[:, None]
        return self._joined(W, b[None, :])

    def pull_back(self, grad_W: Array, grad_b: Array) -> Array:
        """Derivatives with respect to raw coefficients -> with respect to the matrix."""
        return self._pull_back_rows(grad_W, grad_b[None, :])

    def pull_back_hessian(self, gram: Array, n_outputs: int) -> Array:
        """The same for second derivatives, (rows * n_outputs) squared."""
        if self.fit_intercept and self.shift is None and self.scale is None:
            return gram
        for _ in range(2):
            rows = self.xp.reshape(gram, (gram.shape[0] // n_outputs, -1))
            pulled = self._pull_back_rows(rows[:-1, :], rows[-1:, :])
            gram = self.xp.reshape(pulled, (pulled.shape[0] * n_outputs, -1)).T
        return gram

    def _pull_back_rows(self, inner: Array, last: Array) -> Array:
        if self.shift is not None:
            inner = inner - self.shift[:, None] * last
        if self.scale is not None:
            inner = inner / self.scale[:, None]
        return self._joined(inner, last)

    def _joined(self, inner: Array, last: Array) -> Array:
        return self.xp.concat([inner, last], axis=0) if self.fit_intercept else inner
