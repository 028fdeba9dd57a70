"""The cost of a network over all rows, as a function of one vector: what L-BFGS minimizes.

cost(theta) = sum_i w_i loss_i / sum_i w_i + 0.5 * l2_reg_strength * ||weights||^2

Biases, and the factors of a normalization, are free of the penalty.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ...backends import Array, Backend, Namespace
from ..dispatch import can_compile, compiled, run_kernel
from ..dtypes import host_dtype
from .network import Network
from .targets import check_data

KERNEL = "network_sums"
# A block shorter than this costs more in calls than it saves in cache misses.
SMALLEST_BLOCK = 64


class _Parts(NamedTuple):
    """What of an objective is arrays and numbers: a compiled function takes it as an argument."""

    X: Any
    y: Array
    sample_weight: Array | None
    l2_reg_strength: float
    weight_sum: float
    penalized: Array


def _run_on_parts(
    _: Namespace, backend: Backend, function: Callable[..., Any], network: Network,
    static: tuple[Hashable, ...], parts: _Parts, *arrays: Any,
) -> Any:  # fmt: skip
    objective = NetworkObjective(
        parts.X, parts.y, parts.sample_weight, network, backend, parts.l2_reg_strength, True,
        weight_sum=parts.weight_sum, penalized=parts.penalized, dtype=parts.penalized.dtype,
    )  # fmt: skip
    return function(objective, *static, *arrays)


def generic_network_sums(
    X: Any, y: Array, sample_weight: Array | None, theta: Array, network: Network,
    *, backend: Backend,
) -> tuple[Array, Array]:  # fmt: skip
    """sum_i w_i loss_i and its gradient, in blocks of rows: memory holds what layers make of one
    block, not of all rows."""
    xp, n_samples = backend.xp, X.shape[0]
    rows = n_samples
    if backend.block_bytes is not None:
        row_bytes = sum(network.widths) * int(xp.finfo(theta.dtype).bits) // 8
        rows = max(SMALLEST_BLOCK, backend.block_bytes // row_bytes)
    total: tuple[Array, Array] | None = None
    for start in range(0, n_samples, max(1, rows)):
        own = slice(start, min(start + rows, n_samples))
        weight = None if sample_weight is None else sample_weight[own]
        loss, gradient = network.sums(xp, theta, X[own, :], y[own, ...], weight)
        total = (loss, gradient) if total is None else (total[0] + loss, total[1] + gradient)
    assert total is not None
    return total


@dataclass
class NetworkObjective:
    """The cost of a network as a function of its trained parameters.

    Parameters
    ----------
    X : array or CSR matrix of shape (n_samples, n_features)
        In its stored dtype and order.
    y : array of shape (n_samples,) or (n_samples, n_outputs)
        As the network's output wants it.
    sample_weight : array of shape (n_samples,) or None
    network : Network
    backend : Backend
    l2_reg_strength : float
    fused : bool or None
        Passed on to the pass.

    Attributes
    ----------
    rows_read : int
        Rows of X that all calls so far have read.
    on_overflow : callable or None
        Called once, if the first evaluation is not finite.
    weight_sum : float
        Sum of the weights, n_samples without; found where it is not given.
    penalized : array of shape (size,)
        1 where the penalty acts, else 0; found where it is not given.
    dtype : dtype
        Of theta and of the cost; the backend's for this X where it is not given.

    Raises
    ------
    ValueError
        For layers that draw random numbers, or that see a batch as a whole: the cost would not be
        a function of theta.

    Examples
    --------
    >>> from xpfit.backends import get_backend
    >>> from xpfit.core.network import Affine, SquaredError
    >>> X, y = np.asarray([[1.0], [3.0]]), np.asarray([[1.0], [6.0]])
    >>> network = Network(1, (Affine(1),), SquaredError())
    >>> objective = NetworkObjective(X, y, None, network, get_backend("numpy"))
    >>> value, gradient = objective.value_gradient(np.asarray([2.0, 0.0]))
    >>> value, gradient.tolist()
    (0.25, [0.5, 0.5])
    """

    X: Any
    y: Array
    sample_weight: Array | None
    network: Network
    backend: Backend
    l2_reg_strength: float = 0.0
    fused: bool | None = None
    rows_read: int = 0
    on_overflow: Callable[[], None] | None = None
    weight_sum: Any = None
    penalized: Array = None
    dtype: Any = None

    def __post_init__(self) -> None:
        backend = self.backend
        if self.dtype is None:
            self.dtype = backend.compute_dtype(self.X.dtype)
        if self.weight_sum is None:
            weight = self.sample_weight
            n = float(self.X.shape[0])
            self.weight_sum = n if weight is None else float(backend.xp.sum(weight))
        if self.penalized is None:
            _refuse_noise(self.network)
            check_data(
                self.network, self.X, self.y, self.sample_weight, backend, "NetworkObjective"
            )
            mask = np.zeros(self.network.n_parameters)
            for place in self.network.places:
                mask[place.start : place.stop] = float(place.penalized)
            self.penalized = self.from_host(mask)

    @property
    def n_samples(self) -> int:
        """Rows of X."""
        return int(self.X.shape[0])

    @property
    def size(self) -> int:
        """Length of theta."""
        return self.network.n_parameters

    @property
    def n_passes(self) -> int:
        """Reads of X so far."""
        return math.ceil(self.rows_read / max(1, self.n_samples))

    def from_host(self, vector: np.ndarray[Any, Any]) -> Array:
        """A vector like theta, in the dtype of the cost."""
        return self.backend.from_numpy(vector.astype(host_dtype(self.dtype)))

    def read(self, theta: Array) -> tuple[np.ndarray[Any, Any], ...]:
        """The arrays of the layers, on the host and float64."""
        leaves = self.network.unpack(theta)
        return tuple(np.array(self.backend.to_numpy(leaf), dtype=np.float64) for leaf in leaves)

    @property
    def compiles(self) -> bool:
        """Whether `compiled` compiles."""
        return can_compile(self.backend, KERNEL, self.X, self.network, fused=self.fused)

    def compiled(
        self, function: Callable[..., Any], *static: Hashable, donate: tuple[int, ...] = ()
    ) -> Callable[..., Any]:
        """`function(self, *static, *arrays)` as a function of the arrays, compiled where the
        backend compiles."""
        if not self.compiles:
            return partial(function, self, *static)
        run = compiled(
            self.backend, _run_on_parts, self.backend, function, self.network, static,
            donate=tuple(position + 1 for position in donate),
        )  # fmt: skip
        parts = _Parts(
            self.X, self.y, self.sample_weight, self.l2_reg_strength, self.weight_sum,
            self.penalized,
        )  # fmt: skip
        return partial(run, parts)

    def value_gradient(self, theta: Array) -> tuple[float, Array]:
        """Cost and its gradient, in one pass."""
        self.rows_read += self.n_samples
        found, gradient = self.compiled(NetworkObjective.cost_gradient)(theta)
        value = float(found)
        check, self.on_overflow = self.on_overflow, None
        if check is not None and not math.isfinite(value + float(self.backend.xp.sum(gradient))):
            check()
        return value, gradient

    def cost_gradient(self, theta: Array) -> tuple[Array, Array]:
        """As `value_gradient`, but a function of theta alone: it counts and checks nothing."""
        loss, gradient = run_kernel(
            self.backend, KERNEL, generic_network_sums,
            self.X, self.y, self.sample_weight, theta, self.network, fused=self.fused,
        )  # fmt: skip
        along = self.l2_reg_strength * self.penalized * theta
        value = loss / self.weight_sum + 0.5 * (theta @ along)
        return value, gradient / self.weight_sum + along


def _refuse_noise(network: Network) -> None:
    for layer in network.layers:
        if layer.is_random or layer.statistics(network.n_features):
            why = "draws random numbers" if layer.is_random else "depends on the rest of its batch"
            message = (
                f"The cost over all rows was asked of a network with {layer!r}, which {why}: "
                "L-BFGS needs a cost that is the same at each evaluation. Leave that layer out, or "
                "train by mini-batches (Adam, SGD)."
            )
            raise ValueError(message)
