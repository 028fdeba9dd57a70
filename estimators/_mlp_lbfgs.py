"""`solver="lbfgs"` of the networks: all rows at once, and what that cannot be combined with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ..backends import Array, Backend
from ..core.network import Network
from ..core.network.fit_lbfgs import fit_network_lbfgs
from ..core.solvers.result import OUT_OF_ITERATIONS, SolverResult
from ._inputs import beside, feature_names, name_of

LBFGS = "lbfgs"
# Parameters that are of steps and batches, and the values that say nothing. Those that have a
# default of their own (batch_size, learning_rate, momentum, ...) are ignored, as in scikit-learn.
_OF_BATCHES: dict[str, tuple[Any, ...]] = {
    "optimizer": (None,),
    "schedule": (None,),
    "early_stopping": (False,),
    "checkpoint": (None,),
    "resume": (False,),
    "dropout": (0.0,),
    "normalization": (None, "layer"),
    "average": (False, 0),
    "l1_ratio": (0.0,),
    "max_norm": (None,),
}


class WholeFit(NamedTuple):
    """What a fit on all rows at once leaves: as `NetworkFit`, without a descent to go on from."""

    theta: np.ndarray[Any, Any]  # shape=(network.size,), on the host
    result: SolverResult
    descent: None = None
    validation_losses: Sequence[float] = ()


def refuse_what_is_of_batches(estimator: Any, layers: Sequence[Any]) -> None:
    """Refuse parameters and layers that L-BFGS cannot follow.

    Raises
    ------
    ValueError
        Naming all of them.
    """
    given = [
        f"{name}={getattr(estimator, name)!r}"
        for name, unset in _OF_BATCHES.items()
        if not any(getattr(estimator, name) is v or getattr(estimator, name) == v for v in unset)
    ]
    if estimator.layers is not None:
        # A width of 1 stands for any: whether a layer keeps statistics does not depend on it.
        given += [
            f"{layer!r} in layers" for layer in layers if layer.is_random or layer.statistics(1)
        ]
    if given:
        message = (
            f"{name_of(estimator)}(solver='lbfgs') was given {', '.join(given)}: L-BFGS minimizes "
            "one smooth cost of all rows, which is the same at each evaluation; these belong to "
            "mini-batches. Leave them out, or take solver='adam' or 'sgd'."
        )
        raise ValueError(message)


def trains_by_batches(estimator: Any) -> bool:
    """For `available_if`: `partial_fit` is there with every solver but L-BFGS."""
    if estimator.solver == LBFGS:
        message = (
            f"{name_of(estimator)}(solver='lbfgs') has no partial_fit: L-BFGS reads all rows at "
            "each iteration. Take solver='adam' or 'sgd', or fit with warm_start=True."
        )
        raise AttributeError(message)
    return True


def fit_whole(
    estimator: Any, X: Array, target: Array, weight: Array | None, network: Network,
    backend: Backend, start: np.ndarray[Any, Any],
) -> WholeFit:  # fmt: skip
    """Minimize the cost of all rows, from `start`.

    Parameters
    ----------
    X, target, weight : arrays
        As the network takes them, in the backend's hands.
    start : ndarray of shape (network.size,)
    """
    weight_sum = float(X.shape[0]) if weight is None else float(backend.xp.sum(weight))
    dtype = backend.compute_dtype(np.dtype(estimator.dtype))
    theta = beside(X, start.astype(dtype), backend)
    tol = estimator.tol
    result = fit_network_lbfgs(
        X, target, network, backend=backend, theta=theta, sample_weight=weight,
        l2_reg_strength=float(estimator.alpha) / weight_sum, max_iter=int(estimator.max_iter),
        tol=0.0 if tol is None else float(tol), dtype=estimator.dtype,
        callbacks=estimator._callbacks(), who=name_of(estimator),
        feature_names=feature_names(estimator),
    )  # fmt: skip
    if tol is None and result.stop_reason == OUT_OF_ITERATIONS:
        # All iterations were asked for: nothing to warn of.
        result = replace(result, message="")
    return WholeFit(np.array(backend.to_numpy(result.theta)), result)
