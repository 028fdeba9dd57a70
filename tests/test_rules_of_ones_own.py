"""Optimizers of one's own, whose rule is no plain function: every backend takes the same steps."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from mlp_data import quietly, three_classes

from xpfit import MLPClassifier, SGDClassifier
from xpfit.backends import Backend
from xpfit.core.losses import HALF_BINOMIAL
from xpfit.core.minibatch import plan_epoch
from xpfit.core.optimizers import SGD, Optimizer


def scaled(xp: Any, gradient: Any, parameter: Any, learning_rate: Any, factor: Any) -> Any:
    """A rule with a number that is bound beforehand."""
    return (-learning_rate * factor * gradient,)


class Unhashable:
    """A rule that no compiled program can be looked up by."""

    __hash__ = None  # type: ignore[assignment]

    def __call__(self, xp: Any, gradient: Any, parameter: Any, learning_rate: Any) -> Any:
        return (-learning_rate * 2.0 * gradient,)

    def method(self, xp: Any, gradient: Any, parameter: Any, learning_rate: Any) -> Any:
        return self(xp, gradient, parameter, learning_rate)


RULES = {
    "partial": functools.partial(scaled, factor=2.0),
    "object": Unhashable(),
    "method": Unhashable().method,
}


@dataclass(frozen=True)
class Own(Optimizer):
    """Plain descent at twice its rate."""

    learning_rate: float = 0.05
    kind: str = "partial"

    @property
    def rule(self) -> Any:
        return RULES[self.kind]

    @property
    def initial_slots(self) -> tuple[float, ...]:
        return ()

    def scalars(self, step: Any, learning_rate: Any) -> tuple[Any, ...]:
        return (learning_rate,)

    def reach(self, step: Any, learning_rate: Any) -> Any:
        return learning_rate


def test_jax_fuses_the_epochs_of_plain_rules_alone(jax_backend: Backend) -> None:
    accepts = jax_backend.kernels["minibatch_epoch"].accepts
    X, y = jax_backend.from_numpy(np.ones((6, 2))), jax_backend.from_numpy(np.ones(6))
    for optimizer, fused in ((SGD(0.1), True), (Own(kind="object"), False)):
        plan = plan_epoch(optimizer, 6, 2)
        assert accepts(X, y, None, np.arange(6), None, plan, HALF_BINOMIAL) is fused
        assert not accepts(np.ones((6, 2)), y, None, np.arange(6), None, plan, HALF_BINOMIAL)


@pytest.mark.parametrize("backend", ["numpy", "numba", "jax"])
@pytest.mark.parametrize("kind", list(RULES))
def test_rules_that_are_no_plain_functions_run(kind: str, backend: str) -> None:
    X, y = three_classes()
    options: dict[str, Any] = {
        "max_iter": 1, "tol": None, "random_state": 0, "batch_size": 50, "backend": backend,
    }  # fmt: skip
    linear, network = SGDClassifier(**options), MLPClassifier((4,), dtype="float64", **options)
    for model, name in ((linear, "coef_"), (network, "theta_")):
        found = getattr(quietly(model.set_params(optimizer=Own(kind=kind)), X, y), name)
        same = getattr(quietly(model.set_params(optimizer=SGD(0.1)), X, y), name)
        np.testing.assert_allclose(found, same, rtol=1e-9, atol=1e-12)
