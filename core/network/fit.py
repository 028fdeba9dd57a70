"""From data to a trained network: epochs of mini-batches, as for linear models.

The loop over epochs, its stopping rules, records and snapshots are those of `core/epochs.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ...backends import Array, Backend
from ..buckets import Rows
from ..columns import describe_nonfinite
from ..device_work import working_on
from ..dtypes import in_dtype
from ..epoch_options import EpochOptions
from ..epochs import EpochRun, run_epochs
from ..fit_minibatch import of_mean_one, taken
from ..minibatch import Plan, Progress, begin
from ..optimizers import Optimizer
from ..passes import is_sparse
from ..penalties import ElasticNet
from ..solvers.result import NO_IMPROVEMENT, OUT_OF_ITERATIONS, Callback, SolverResult
from ..standing import Best, Descent, Keep, Snapshot, Standing, restored
from ..watching import FitStart, watching
from .epoch import at_step, network_epoch, take_batch
from .memory import memory_advice
from .network import Network
from .predict import mean_loss
from .step import Batch, form_of, stand, take_step
from .targets import check_batches, check_data

HostArray = np.ndarray[Any, Any]


class NetworkFit(NamedTuple):
    """The outcome of `fit_network`."""

    theta: HostArray  # shape=(network.size,), on the host, in the dtype of the fit
    result: SolverResult
    descent: Descent
    validation_losses: list[float]


@dataclass
class NetworkRun(EpochRun):
    """One fit of a network: what differs from that of a linear model."""

    network: Network = field(kw_only=True)
    first_loss: float = math.nan  # of the first batch, before any step

    def take_epoch(
        self, order: HostArray, start: Progress, plan: Plan
    ) -> tuple[Progress, HostArray]:
        keys = None
        if self.network.is_random:
            keys = self.rng.integers(0, 1 << 32, size=plan.gains.shape[0], dtype=np.uint32)
        found, losses = network_epoch(
            *self.rows, order, start, plan, keys, self.network,
            backend=self.backend, fused=self.fused,
        )  # fmt: skip
        if math.isnan(self.first_loss):
            self.first_loss = float(losses[0])
        broken = np.flatnonzero(~np.isfinite(losses))
        if broken.size:
            self.trouble = self._where(order, start, plan, keys, int(broken[0]))
        return found, losses

    def _where(
        self, order: HostArray, start: Progress, plan: Plan, keys: HostArray | None, step: int
    ) -> str:
        """Which layer is the first whose output is not finite at a step: the epoch once more."""
        network, backend, xp = self.network, self.backend, self.backend.xp
        now, rows = stand(network, start), Batch(*self.rows)
        for t in range(step + 1):
            drawn = order[t * plan.batch_size : (t + 1) * plan.batch_size]
            batch, numbers = take_batch(backend, rows, drawn), at_step(backend, plan, keys, t)
            if t < step:
                now, _ = take_step(network, xp, now, batch, form_of(plan), numbers)
        where = self.where_not_finite(network.pack(xp, now.theta))
        if where:
            return where
        dtype = now.theta[0].dtype
        x = in_dtype(xp, batch.X, dtype)
        if not is_sparse(x) and not bool(xp.all(xp.isfinite(x))):
            return f", where X is beyond what {dtype} holds"
        for i, layer in enumerate(network.layers):
            x, _, _ = network.forward_layer(xp, now.theta, i, x, training=True, key=numbers.key)
            if not bool(xp.all(xp.isfinite(x))):
                return f", where the output of layer {i + 1} ({layer.name}) is not finite"
        return ", where the loss of a finite output is not finite: y is too large"

    def where_not_finite(self, theta: Array) -> str:
        network, xp = self.network, self.backend.xp
        for place, leaf in zip(network.places, network.unpack(theta), strict=True):
            if not bool(xp.all(xp.isfinite(leaf))):
                kind = network.layers[place.layer].name
                return f", where {place.name} of layer {place.layer + 1} ({kind}) is not finite"
        return ""

    def read(self, theta: Array) -> Any:
        """The arrays of the layers, on the host, float64."""
        return self.network.unpack(np.array(self.backend.to_numpy(theta), dtype=np.float64))

    def penalty(self, theta: Array) -> float:
        """l1 * sum(abs(W)) + 0.5 * l2 * sum(W**2) over the weights of all layers."""
        if not (self.l1_reg_strength or self.l2_reg_strength):
            return 0.0
        net, xp = ElasticNet(self.l1_reg_strength, self.l2_reg_strength), self.backend.xp
        return sum(
            float(net.value(xp, theta[place.start : place.stop]))
            for place in self.network.places
            if place.penalized
        )

    def cost(self, theta: Array) -> float:
        """Weighted mean loss of all rows, as in predictions, and the penalty."""
        loss = mean_loss(self.network, theta, *self.rows, backend=self.backend)
        return loss + self.penalty(theta)

    def judged(self, result: SolverResult, start: Array) -> SolverResult:
        """The result, which has not converged where the cost is above that of the start.

        Steps that are too large for the network may end there without leaving the numbers: Adam's
        are of the size of its rate, whatever the gradient.
        """
        # Two more reads of X: only where the batches say that it may be so. Running means are of
        # nothing before the first step, and lag behind: there the batches must say it aloud.
        has_statistics = self.network.size > self.network.n_parameters
        least = self.first_loss * (2.0 if has_statistics else 1.0)
        ended = result.stop_reason in {OUT_OF_ITERATIONS, NO_IMPROVEMENT}
        if not (ended and result.loss > least):
            return result
        before, after = self.cost(start), self.cost(result.theta)
        if not after > before:
            return result
        message = (
            f"the cost was {before:.3g} before the first step and is {after:.3g} after "
            f"{result.n_iter} epochs: training made it worse. Lower the learning rate, which was "
            f"{float(self.optimizer.learning_rate_at(0)):.3g} at first, scale the columns and "
            "numeric targets (sklearn.preprocessing.StandardScaler), or clip gradients (max_norm)."
        )
        return replace(result, converged=False, message=message)

    def validate(self, theta: Array) -> float:
        """Weighted mean loss on the held-out rows."""
        assert self.validation is not None
        return mean_loss(self.network, theta, *self.validation, backend=self.backend)


def fit_network(
    X: Any,
    y: Array,
    *,
    network: Network,
    backend: Backend,
    optimizer: Optimizer,
    options: EpochOptions,
    rng: np.random.Generator,
    sample_weight: Array | None = None,
    l2_reg_strength: float = 0.0,
    l1_reg_strength: float = 0.0,
    dtype: str = "float32",
    held_out: HostArray | None = None,
    start: Descent | None = None,
    saved: Snapshot | None = None,
    keep: Keep | None = None,
    callbacks: Sequence[Callback] = (),
    who: str = "fit_network",
    feature_names: Sequence[str] | None = None,
    fused: bool | None = None,
) -> NetworkFit:
    """Train a network by mini-batch descent.

    minimize  sum_i w_i loss_i / sum_i w_i + sum over the weights W of all layers of
              l1_reg_strength * ||W||_1 + 0.5 * l2_reg_strength * ||W||^2

    Parameters
    ----------
    X : array or CSR of shape (n_samples, n_features), in any stored dtype
    y : array of shape (n_samples,), integers, or (n_samples, n_outputs)
        As `network.output` wants it.
    network : Network
    sample_weight, optimizer, options, l1_reg_strength, held_out, start, saved, keep, callbacks
        As in `fit_by_epochs`; a `gradient_tol` is refused.
    rng : Generator
        Draws the initial weights, shuffles, and the keys of dropout: on the host.
    dtype : {"float32", "float64"}
        Of the parameters and of all arithmetic.

    Returns
    -------
    NetworkFit
        `result.stop_reason` is "diverged" where the loss became infinite or NaN: the message names
        the step and the layer, and theta is that of the best epoch. `result.message` tells of a
        cost that is higher at the end than it was at the start.

    Raises
    ------
    ValueError
        For NaN or infinity in X, named by column; for shapes that do not fit the network.

    Examples
    --------
    >>> from xpfit.backends import get_backend
    >>> from xpfit.core.network import Affine, SquaredError, Tanh
    >>> from xpfit.core.optimizers import Adam
    >>> X = np.linspace(-1.0, 1.0, 64)[:, None]
    >>> network = Network(1, (Affine(16, "xavier"), Tanh(), Affine(1, "xavier")), SquaredError())
    >>> fit = fit_network(X, X**2, network=network, backend=get_backend("numpy"),
    ...     optimizer=Adam(0.03), options=EpochOptions(batch_size=16, max_iter=100, tol=None),
    ...     rng=np.random.default_rng(0))
    >>> fit.result.loss < 1e-3
    True
    """
    n_samples, n_features = X.shape
    _check(options, dtype, who)
    check_data(network, X, y, sample_weight, backend, who)
    check_batches(network, options.batch_size, who)
    advice = partial(
        memory_advice, network, X, min(options.batch_size, n_samples), dtype, optimizer.n_slots,
        type(optimizer).__name__,
    )  # fmt: skip
    what = f"{who} on X of {X.dtype}, {n_samples:,} x {n_features:,}"
    with (
        working_on(backend, X, what, advice),
        np.errstate(invalid="ignore", over="ignore", divide="ignore"),
    ):
        theta = backend.from_numpy(network.initial(rng).astype(dtype))
        if dtype not in str(theta.dtype):
            message = (
                f"{who} was asked for dtype={dtype!r}, and the backend {backend.name!r} holds "
                f"{theta.dtype} only. Set JAX_ENABLE_X64=1, or ask for float32."
            )
            raise ValueError(message)
        xp = backend.xp
        if sample_weight is not None:
            sample_weight = xp.astype(sample_weight, theta.dtype, copy=False)
        if y.ndim == 2:
            y = xp.astype(y, theta.dtype, copy=False)
        rows, validation, trained = Rows(X, y, sample_weight), None, np.arange(n_samples)
        if held_out is not None:
            validation = taken(backend, rows, held_out)
            trained = np.delete(trained, held_out)
            if not trained.size:
                message = f"{who}: all {n_samples} rows are held out. Hold fewer out."
                raise ValueError(message)
        run = NetworkRun(
            of_mean_one(backend, rows, validation), trained, None, backend, optimizer,
            float(l2_reg_strength), options, rng, fused, validation, float(l1_reg_strength),
            network=network,
        )  # fmt: skip
        fresh = start is None
        if start is None:
            start = Descent(begin(optimizer, theta, average=options.average_from is not None))
        theta_0 = run.theta(start)
        if saved is None:
            standing = Standing(start, Best(theta_0))
        else:
            standing = restored(saved, backend, rng)
        check = partial(
            describe_nonfinite, X, backend=backend, who=who, feature_names=feature_names
        )
        about = FitStart(who, options.max_iter, "epoch", of_layers=True)
        with watching(callbacks, about):
            theta, result = run_epochs(run, standing, callbacks, check, keep)
        if fresh and saved is None:  # a fit that goes on may begin at a minimum, and end beside it
            result = run.judged(result, theta_0)
    host = np.array(backend.to_numpy(theta))
    return NetworkFit(host, result, standing.descent, standing.validation_losses)


def _check(options: EpochOptions, dtype: str, who: str) -> None:
    why = None
    if options.gradient_tol is not None and math.isfinite(options.gradient_tol):
        why = "gradient_tol, which is for linear models"
    elif dtype not in {"float32", "float64"}:
        why = f"dtype={dtype!r}, which is neither 'float32' nor 'float64'"
    if why is not None:
        message = f"{who} was given {why}. Give options that a network has."
        raise ValueError(message)
