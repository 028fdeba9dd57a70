"""Every gradient of a network beside differences, in one call."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ...backends import Backend, resolve_backend
from ..gradient_check import Comparison, GradientReport, gradient_check
from .inspection import layer_name
from .layer import HostArray
from .network import Network
from .targets import check_data
from .trace import loss_from, trace


def check_network(
    network: Network,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    theta: Any = None,
    key: int = 0,
    method: str = "fourth_order",
    rtol: float | None = None,
    atol: float | None = None,
    max_entries: int | None = 50,
    backend: Backend | str | None = None,
) -> GradientReport:
    """Check every gradient of a network, in training mode: dropout keeps one mask.

    The number whose gradients these are is sum_i weight_i loss_i.

    Parameters
    ----------
    network : Network
    X : array of shape (n_samples, n_features)
    y : array
        As the network's output wants it.
    sample_weight : array of shape (n_samples,) or None
    theta : array of shape (network.size,) or None
        None: initial parameters, each moved a little, so that none is 0 or 1.
    key : int
        Of the dropout masks.
    method, rtol, atol, max_entries, backend
        As for `gradient_check`.

    Returns
    -------
    GradientReport
        "layer 2 affine: W" and so on, and "layer 2 affine: input" for the derivative with respect
        to what a layer is given.

    Examples
    --------
    >>> from xpfit.core.network import Affine, Dropout, SquaredError, Tanh
    >>> network = Network(2, (Affine(3), Tanh(), Dropout(0.5), Affine(1)), SquaredError())
    >>> report = check_network(network, [[1.0, 2.0], [0.5, -1.0]], [[1.0], [0.0]])
    >>> report.passed, report.comparisons[1].name
    (True, 'layer 1 affine: W')
    """
    record = resolve_backend(backend, X if hasattr(X, "dtype") else None, who="check_network")
    xp = record.xp
    rows = _moved(record, X, np.float64)
    target = _moved(record, y, None)
    weight = None if sample_weight is None else _moved(record, sample_weight, np.float64)
    check_data(network, rows, target, weight, record, "check_network")
    start = _start(network) if theta is None else theta
    point = network.unpack(_moved(record, start, np.float64))
    drawn = record.from_numpy(np.asarray(key, dtype=np.uint32)) if network.is_random else None
    found = trace(network, xp, point, rows, target, weight, key=drawn)
    options: dict[str, Any] = {
        "method": method, "rtol": rtol, "atol": atol, "max_entries": max_entries, "backend": record,
    }  # fmt: skip
    comparisons: list[Comparison] = []
    for i, layer in enumerate(network.layers):

        def loss(arrays: dict[str, Any], i: int = i) -> Any:
            # The arrays that are not changed come from outside: a compiler takes them as they are.
            changed = list(point)
            for at, place in enumerate(network.places):
                if place.layer == i and place.trained:
                    changed[at] = arrays[place.name]
            return loss_from(
                network, xp, tuple(changed), i, arrays["input"], target, weight, key=drawn
            )

        at, gradients = {"input": found.values[i]}, {"input": found.d_values[i]}
        for k, place in enumerate(network.places[: network.n_trained]):
            if place.layer == i:
                at[place.name], gradients[place.name] = point[k], found.gradients[k]
        report = gradient_check(record.jit(loss), gradients, at, **options)
        name = f"layer {i + 1} {layer_name(layer)}"
        comparisons += [
            replace(one, name=f"{name}: {one.name[2:-2]}") for one in report.comparisons
        ]
    return GradientReport(method, report.rtol, tuple(comparisons))


def _moved(backend: Backend, given: Any, dtype: Any) -> Any:
    host = backend.to_numpy(given) if isinstance(given, backend.array_type) else given
    return backend.from_numpy(np.array(host, dtype=dtype))


def _start(network: Network) -> HostArray:
    rng = np.random.default_rng(0)
    theta = network.initial(rng)
    theta[: network.n_parameters] += 0.1 * rng.normal(size=network.n_parameters)
    return theta
