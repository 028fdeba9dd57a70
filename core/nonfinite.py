"""What is at fault when the first evaluation of a fit is not finite: a column, a loss, or size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..backends import Array, Backend, filled
from .columns import describe_nonfinite
from .loss import Loss, PointwiseLoss
from .passes import is_sparse


class NonfiniteError(ValueError):
    """The first evaluation of a fit is not finite."""


def raise_nonfinite(
    X: Any,
    backend: Backend,
    who: str,
    feature_names: Sequence[str] | None,
    loss: Loss | None = None,
    y: Array | None = None,
) -> None:
    """Raise the error for a first evaluation that is not finite: the columns or the loss at fault,
    if any."""
    text = describe_nonfinite(X, backend=backend, who=who, feature_names=feature_names)
    if text is None and loss is not None and y is not None and not loss.is_multiclass:
        dtype = backend.compute_dtype(X.dtype)
        y = backend.xp.astype(y if y.ndim == 1 else y[:, 0], dtype, copy=False)
        text = _describe_loss(loss, y, backend, who)
    if text is None:
        text = (
            f"the first evaluation in {who} overflowed, though X is finite: values of X or y are "
            "too large. Scale them to ordinary sizes first."
        )
    raise NonfiniteError(text)


def require_finite(X: Any, backend: Backend, who: str, feature_names: Sequence[str] | None) -> None:
    """One read of X, where several fits follow and none of them is to be blamed.

    Raises
    ------
    ValueError
        For NaN or infinity in X, named by column.
    """
    values, xp = X.data if is_sparse(X) else X, backend.xp
    if not xp.isdtype(values.dtype, "real floating"):
        return
    with np.errstate(invalid="ignore", over="ignore"):
        finite = np.isfinite(float(xp.sum(values)))
    # A sum may overflow where no entry does.
    text = None if finite else describe_nonfinite(
        X, backend=backend, who=who, feature_names=feature_names
    )  # fmt: skip
    if text is not None:
        raise ValueError(text)


def _describe_loss(loss: PointwiseLoss, y: Array, backend: Backend, who: str) -> str | None:
    """Which formula of a loss is not finite at raw_prediction = 0, where every fit starts."""
    xp = backend.xp
    raw = xp.zeros_like(y)
    formulas = {"value": loss.value, "gradient": loss.gradient, "curvature": loss.curvature}
    for name, formula in formulas.items():
        found = filled(xp, formula(xp, y, raw, *loss.parameters), raw)
        n_bad = int(xp.sum(xp.astype(~xp.isfinite(found), xp.int64)))
        if n_bad:
            return (
                f"the {name} of loss {loss.name!r} in {who} is NaN or infinite for {n_bad} of "
                f"{y.shape[0]} samples at raw_prediction = 0. Mend the formula, or leave out "
                "values of y that it is not defined for (docs/losses.md)."
            )
    return None
