"""What `MLPClassifier` and `MLPRegressor` share: parameters, and training."""

from __future__ import annotations

import os
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval

from ..backends import Array, Backend
from ..core.columns import describe_nonfinite
from ..core.device_work import working_on
from ..core.minibatch import begin
from ..core.network import INITIALIZERS, Affine, Network, Output
from ..core.network.fit import NetworkFit, fit_network
from ..core.network.fit_lbfgs import lbfgs_memory_advice
from ..core.network.inspection import layer_name
from ..core.optimizers import Optimizer
from ..core.solvers.result import DIVERGED
from ..core.standing import Descent
from ._base import OUR_CONSTRAINTS
from ._checkpoint import check_resume, kept_by
from ._constraints import OneOf
from ._inputs import feature_names, name_of, send_features
from ._mlp_fitted import FittedNetwork, total_is_finite
from ._mlp_layers import HIDDEN_ACTIVATIONS, NORMALIZATIONS, hidden_layers, network_of
from ._mlp_lbfgs import LBFGS, WholeFit, fit_whole, refuse_what_is_of_batches
from ._mlp_optimizer import optimizer_of
from ._sgd_options import (
    descent_on_backend,
    descent_on_host,
    epoch_options,
    generator_of,
    numbers_for_steps,
    raise_what_ended,
)

SOLVERS = ("adam", "lbfgs", "sgd")
# Of batch_size="auto".
AUTO_BATCH = 200

MLP_CONSTRAINTS: dict[str, list[Any]] = {
    "hidden_layer_sizes": ["array-like", Integral],
    "activation": [OneOf(set(HIDDEN_ACTIVATIONS))],
    "solver": [OneOf(set(SOLVERS))],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "batch_size": [OneOf({"auto"}), Interval(Integral, 1, None, closed="left")],
    "learning_rate": [OneOf({"constant", "invscaling", "adaptive"})],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "power_t": [Interval(Real, 0, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "tol": [Interval(Real, 0, None, closed="left"), None],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "momentum": [Interval(Real, 0, 1, closed="left")],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "beta_1": [Interval(Real, 0, 1, closed="left")],
    "beta_2": [Interval(Real, 0, 1, closed="left")],
    "epsilon": [Interval(Real, 0, None, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    "optimizer": [str, Optimizer, None],
    "schedule": [str, callable, None],
    "dropout": [Interval(Real, 0, 1, closed="left")],
    "normalization": [OneOf(set(NORMALIZATIONS)), None],
    "initializer": [OneOf(set(INITIALIZERS)), None],
    "layers": [tuple, list, None],
    "dtype": [OneOf({"float32", "float64"})],
    "l1_ratio": [Interval(Real, 0, 1, closed="both")],
    "max_norm": [Interval(Real, 0, None, closed="neither"), None],
    "average": [Interval(Integral, 0, None, closed="left"), "boolean"],
    "checkpoint": [str, os.PathLike, None],
    "resume": ["boolean"],
    **OUR_CONSTRAINTS,
}


class NetworkEstimator(FittedNetwork):
    """Fits a network by epochs, or by L-BFGS; a subclass reads its y and names the output layer."""

    def _check_options(self) -> None:
        """Refuse what contradicts itself before any work."""
        if self.solver == LBFGS:
            refuse_what_is_of_batches(self, hidden_layers(self))
            return
        optimizer_of(self, 1000)
        hidden_layers(self)
        check_resume(self)

    def _rows_of_a_batch(self, n_trained: int) -> int:
        asked = AUTO_BATCH if self.batch_size == "auto" else int(self.batch_size)
        return min(asked, n_trained)

    def _numbers(self, n_samples: int, max_iter: int) -> int:
        """How large X counts for `auto`."""
        if self.solver == LBFGS:
            return 0  # no kernel of its own on Numba
        return numbers_for_steps(n_samples, self._rows_of_a_batch(n_samples), max_iter)

    def _generator(self, *, goes_on: bool) -> np.random.Generator:
        # A call of `partial_fit` must not drop the same units as the call before.
        further = (self._descent.steps_taken,) if goes_on and hasattr(self, "_descent") else ()
        return generator_of(self.random_state, *further)

    def _train(
        self, X: Array, target: Array, weight: Array | None, output: Output, n_outputs: int,
        backend: Backend, *, rng: np.random.Generator, max_iter: int, goes_on: bool,
        held_out: np.ndarray[Any, Any] | None = None, stop: bool = True,
    ) -> NetworkFit | WholeFit:  # fmt: skip
        """Epochs on the data, from a checkpoint if that is asked for; or L-BFGS."""
        who, saved, keep = name_of(self), None, None
        network = network_of(self, X.shape[1], n_outputs, output)
        if self.solver == LBFGS:
            return self._train_whole(X, target, weight, network, backend, rng, goes_on=goes_on)
        n_trained = X.shape[0] - (0 if held_out is None else len(held_out))
        batch_size = self._rows_of_a_batch(n_trained)
        optimizer = optimizer_of(self, int(self.max_iter) * -(-n_trained // batch_size))
        start = self._start(network, optimizer, backend, fresh=stop) if goes_on else None
        if stop:
            saved, held_out, keep = kept_by(self, X, target, weight, backend, held_out)
        X = send_features(self, X, backend)
        self._refuse_nonfinite(X, backend)
        strength = float(self.alpha) / batch_size
        fit = fit_network(
            X, target, network=network, backend=backend, optimizer=optimizer,
            options=epoch_options(self, batch_size, max_iter, stop=stop), rng=rng,
            sample_weight=weight, l2_reg_strength=strength * (1.0 - float(self.l1_ratio)),
            l1_reg_strength=strength * float(self.l1_ratio), dtype=self.dtype, held_out=held_out,
            start=start, saved=saved, keep=keep, callbacks=self._callbacks(), who=who,
            feature_names=feature_names(self),
        )  # fmt: skip
        self.network_, self.theta_ = network, fit.theta
        return fit

    def _train_whole(
        self, X: Array, target: Array, weight: Array | None, network: Network, backend: Backend,
        rng: np.random.Generator, *, goes_on: bool,
    ) -> WholeFit:  # fmt: skip
        X = send_features(self, X, backend)
        self._refuse_nonfinite(X, backend)
        if goes_on and network != self.network_:
            raise ValueError(self._other_network(network, "(warm_start=True)"))
        # The generator's first numbers, so that every solver starts from the same weights.
        advice = lbfgs_memory_advice(network, X, self.dtype, backend)
        with working_on(backend, X, f"initial weights of {name_of(self)}", advice):
            start = self.theta_ if goes_on else network.initial(rng)
        fit = fit_whole(self, X, target, weight, network, backend, start)
        self.network_, self.theta_ = network, fit.theta
        return fit

    def _start(
        self, network: Network, optimizer: Optimizer, backend: Backend, *, fresh: bool
    ) -> Descent:
        """Where the last fit ended; with fresh slots for a warm start, a loaded model, and another
        optimizer."""
        if network != self.network_ or self.theta_.dtype != self.dtype:
            call = "(warm_start=True)" if fresh else ".partial_fit"
            raise ValueError(self._other_network(network, call))
        kept: Descent | None = getattr(self, "_descent", None)
        begun = begin(optimizer, backend.from_numpy(self.theta_), average=bool(self.average))
        # What one optimizer remembers means nothing to another.
        of_this = (
            kept is not None
            and self.solver_ == type(optimizer).__name__.lower()
            and len(kept.progress.slots) == len(begun.slots)
            and (kept.progress.average is None) == (begun.average is None)
        )
        if kept is not None and of_this and not fresh:
            return descent_on_backend(kept, backend)
        return Descent(begun)

    def _other_network(self, network: Network, call: str) -> str:
        return (
            f"{name_of(self)}{call}: the last fit had the network {_told(self.network_)} in "
            f"{self.theta_.dtype}, and these parameters and data ask for {_told(network)} in "
            f"{self.dtype}. Set them as they were, or fit a clone()."
        )

    def _refuse_nonfinite(self, X: Array, backend: Backend) -> None:
        # An activation may turn infinity into a finite number, so no loss would tell of it.
        if total_is_finite(X, backend):
            return
        with working_on(backend, X, f"looking for NaN in X for {name_of(self)}"):
            text = describe_nonfinite(
                X, backend=backend, who=name_of(self), feature_names=feature_names(self)
            )
        if text is not None:
            raise ValueError(text)

    def _finish(
        self, fit: NetworkFit | WholeFit, backend: Backend, n_rows: int, *, further: bool
    ) -> None:
        """Attributes of how the fit went; then divergence and interruption are raised.

        `further`: it adds to the epochs of the calls of `partial_fit` before.
        """
        epochs = (self.n_iter_, self.t_, self.loss_history_) if further else (0, 0, np.zeros(0))
        if fit.descent is None:
            vars(self).pop("_descent", None)
        else:
            self._descent = descent_on_host(fit.descent, backend)
        self.n_iter_ = epochs[0] + int(fit.result.n_iter)
        self.t_ = epochs[1] + int(fit.result.n_iter) * n_rows
        self.validation_loss_history_ = np.asarray(fit.validation_losses)
        reason = fit.result.stop_reason
        # Without a tolerance all epochs were asked for.
        self._record(fit, backend, warn=reason != DIVERGED and fit.result.message != "")
        self.loss_history_ = np.concatenate([epochs[2], self.loss_history_])
        raise_what_ended(name_of(self), fit.result)


def _told(network: Network) -> str:
    # Of affine layers alone: with those of activations 4-8-3 would look like 4-8-8-3.
    widths, others = [network.n_features], []
    for i, layer in enumerate(network.layers):
        if isinstance(layer, Affine):
            widths.append(network.widths[i + 1])
        elif layer_name(layer) not in others:
            others.append(layer_name(layer))
    between = f"with {', '.join(others)} " if others else ""
    return f"{'-'.join(map(str, widths))} {between}({type(network.output).__name__})"
