"""Learning rates that follow from the data: the inverse of how far the cost can bend.

A step of gradient descent lowers a cost whose curvature is at most L if its rate is below 2 / L.
The losses here bend most at a known value, so L is that value times a property of X alone.
"""

from __future__ import annotations

import numpy as np

from ..backends import Array, Backend
from .columns import column_moments
from .loss import Loss
from .losses import HALF_BINOMIAL, HALF_SQUARED_ERROR, SQUARED_HINGE
from .objective import LinearObjective
from .passes import is_sparse, row_blocks

# Products with the Hessian that find its largest eigenvalue. Each is a pass. The norm that they
# end with is never above it; rates up to twice 1 / L converge, so it may be off by a factor of two.
POWER_STEPS = 10
MARGIN = 1.1


def knows_curvature(loss: Loss) -> bool:
    """Whether `steepest_curvature` knows the loss."""
    return loss.is_multiclass or loss in (HALF_BINOMIAL, HALF_SQUARED_ERROR, SQUARED_HINGE)


def steepest_curvature(loss: Loss) -> float:
    """The largest curvature that the loss has anywhere, of one row.

    1/4 for the binomial, 1/2 for the multinomial, 1 for half the squared error or hinge.

    Raises
    ------
    ValueError
        For any other loss.

    Examples
    --------
    >>> steepest_curvature(HALF_BINOMIAL)
    0.25
    """
    if knows_curvature(loss):
        return 0.5 if loss.is_multiclass else 0.25 if loss is HALF_BINOMIAL else 1.0
    message = (
        f"a learning rate was asked of the data, but of the loss {loss.name!r} no bound on the "
        "curvature is known. Give a learning rate."
    )
    raise ValueError(message)


def full_batch_rate(objective: LinearObjective) -> float:
    """1 / L, with L the largest curvature of the cost: gradient descent converges with it.

    The Hessian at zero is X.T diag(w) X / sum(w) times the curvature there, 1/4 or I / K - 1 / K².
    Power iteration finds its largest eigenvalue in `POWER_STEPS` passes; the steepest curvature
    over that at zero is a factor known beforehand.

    Examples
    --------
    >>> from xpfit.backends import get_backend
    >>> X, y = np.asarray([[2.0], [-2.0]]), np.asarray([0.0, 1.0])
    >>> objective = LinearObjective(X, y, None, HALF_BINOMIAL, get_backend("numpy"))
    >>> round(1.1 * full_batch_rate(objective), 6)  # L is 0.25 * mean(x**2)
    1.0
    """
    backend, loss = objective.backend, objective.loss
    xp, K = backend.xp, objective.n_outputs
    at_zero = 1.0 / K if loss.is_multiclass else steepest_curvature(loss)
    host = objective.host_dtype
    drawn = np.random.default_rng(0).standard_normal(objective.size)
    direction = backend.from_numpy((drawn / float(np.linalg.norm(drawn))).astype(host))
    zero, largest = xp.zeros_like(direction), 0.0
    for _ in range(POWER_STEPS):
        product = objective.curvature_product(zero, direction)
        largest = float(xp.sqrt(product @ product))
        if not largest > 0.0:
            return 1.0  # nothing bends, X is all zeros
        direction = product / largest
    return 1.0 / (MARGIN * largest * steepest_curvature(loss) / at_zero)


def mini_batch_rate(
    X: Array,
    sample_weight: Array | None,
    loss: Loss,
    backend: Backend,
    *,
    l2_reg_strength: float = 0.0,
    fit_intercept: bool = True,
    batch_size: int | None = None,
) -> float:
    """1 / (steepest curvature * weighted mean of ||x_i||² + l2), the intercept's 1 included.

    The mean of ||x_i||² is the sum of all eigenvalues of X.T X / n. So the rate is below 1 / L, by
    what batches need whose rows are not like all rows together. One pass.

    With a `batch_size` it is also what batches of so few rows need where some rows are far longer
    than others: 2 * mean(||x_i||⁴) / mean(||x_i||²) / batch_size stands in place of the mean if it
    is larger (half of what Bach and Moulines 2013 find stable). One pass more.

    Examples
    --------
    >>> from xpfit.backends import get_backend
    >>> X = np.asarray([[1.0, 2.0], [3.0, 0.0]])  # ||x||² is 5 and 9, and 1 for the intercept
    >>> mini_batch_rate(X, None, HALF_BINOMIAL, get_backend("numpy"))
    0.5
    """
    mean, variance = column_moments(X, sample_weight, backend=backend)
    squares = float(backend.xp.sum(variance + mean * mean)) + float(fit_intercept)
    if batch_size is not None:
        squares = max(
            squares, 2.0 * _long_rows(X, sample_weight, fit_intercept, backend) / batch_size
        )
    bound = steepest_curvature(loss) * squares + l2_reg_strength
    return 1.0 / bound if bound > 0.0 else 1.0


def _long_rows(
    X: Array, sample_weight: Array | None, fit_intercept: bool, backend: Backend
) -> float:
    """mean(w² ||x||⁴) / mean(w ||x||²), of weights of mean 1."""
    xp, second, fourth, total = backend.xp, 0.0, 0.0, 0.0
    for rows in row_blocks(X, 8, backend.block_bytes):
        block = X[rows, :]
        if is_sparse(block):
            lengths = np.asarray(block.astype(np.float64).power(2).sum(axis=1)).reshape(-1)
        else:
            block = xp.astype(block, backend.compute_dtype(X.dtype), copy=False)
            lengths = xp.sum(block * block, axis=1)
        weighted = lengths + float(fit_intercept)
        if sample_weight is not None:
            weighted = weighted * sample_weight[rows]
            total += float(xp.sum(sample_weight[rows]))
        second += float(xp.sum(weighted))
        fourth += float(xp.sum(weighted * weighted))
    mean_weight = 1.0 if sample_weight is None else total / X.shape[0]
    return fourth / (second * mean_weight) if second * mean_weight > 0.0 else 0.0
