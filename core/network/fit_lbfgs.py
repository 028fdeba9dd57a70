"""Training a small network on all rows at once, by L-BFGS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ...backends import Array, Backend
from ..device_work import working_on
from ..dtypes import host_dtype
from ..nonfinite import raise_nonfinite
from ..solvers import Callback, SolverResult, minimize_plain_lbfgs
from ..solvers.lbfgs import MEMORY
from ..watching import FitStart, watching
from .memory import memory_advice
from .network import Network
from .objective import SMALLEST_BLOCK, NetworkObjective


def lbfgs_memory_advice(
    network: Network, X: Any, dtype: Any, backend: Backend
) -> Callable[[], str | None]:
    """`memory_advice` for L-BFGS, which keeps many steps and changes of the gradient."""

    def advice() -> str | None:
        held = host_dtype(backend.compute_dtype(np.dtype(X.dtype if dtype is None else dtype)))
        return memory_advice(network, X, SMALLEST_BLOCK, held, 2 * MEMORY, "L-BFGS")

    return advice


def fit_network_lbfgs(
    X: Any,
    y: Array,
    network: Network,
    *,
    backend: Backend,
    theta: Array | None = None,
    seed: int = 0,
    sample_weight: Array | None = None,
    l2_reg_strength: float = 0.0,
    max_iter: int = 1000,
    tol: float = 1e-6,
    dtype: str | None = None,
    callbacks: Sequence[Callback] = (),
    who: str = "fit_network_lbfgs()",
    feature_names: Sequence[str] | None = None,
    fused: bool | None = None,
) -> SolverResult:
    """Minimize the cost over all rows: a local minimum of it, where there are hidden layers.

    Worth it for small data and few parameters, in float64: no learning rate has to be found, and
    the gradient is brought down to `tol`. In float32 the cost stops to fall much earlier.

    Parameters
    ----------
    X, y, sample_weight, network, l2_reg_strength
        See `NetworkObjective`.
    theta : array of shape (n_parameters,) or None
        Where to start; None: where `network.initial` does with `seed`.
    max_iter : int
    tol : float
        Largest absolute entry of the gradient at which to stop.
    dtype : {"float32", "float64"} or None
        Of theta and of the arithmetic, where the backend computes in it: NumPy and Numba take
        float64 whatever is asked. None: the compute dtype of X.
    callbacks : sequence of callable
        Each is handed a record, whose `coefficients()` are the arrays of the layers.

    Returns
    -------
    SolverResult
        With theta of shape (n_parameters,), in the dtype of the computation.

    Raises
    ------
    ValueError
        For a network with dropout or batch normalization; for X that is not finite.

    Examples
    --------
    >>> from xpfit.backends import get_backend
    >>> from xpfit.core.network import Affine, SquaredError, Tanh
    >>> x = np.linspace(-1.0, 1.0, 20)[:, None]
    >>> network = Network(1, (Affine(4), Tanh(), Affine(1)), SquaredError())
    >>> result = fit_network_lbfgs(
    ...     x, np.sin(3.0 * x), network, backend=get_backend("numpy"), l2_reg_strength=1e-4)
    >>> result.converged, bool(result.loss < 0.01)
    (True, True)
    """
    what = f"{who} on X of {X.dtype}, {X.shape[0]:,} x {X.shape[1]:,}"
    with (
        working_on(backend, X, what, lbfgs_memory_advice(network, X, dtype, backend)),
        np.errstate(over="ignore", invalid="ignore"),
        watching(callbacks, FitStart(who, max_iter, "iteration", of_layers=True)),
    ):
        objective = NetworkObjective(
            X, y, sample_weight, network, backend, l2_reg_strength, fused,
            dtype=None if dtype is None else backend.compute_dtype(np.dtype(dtype)),
        )  # fmt: skip
        objective.on_overflow = partial(raise_nonfinite, X, backend, who, feature_names)
        if theta is None:
            drawn = network.initial(np.random.default_rng(seed))
            theta = objective.from_host(drawn[: objective.size])
        else:
            theta = backend.xp.astype(theta, objective.dtype, copy=False)
        return minimize_plain_lbfgs(
            objective, theta, max_iter=max_iter, tol=tol, callbacks=callbacks
        )
