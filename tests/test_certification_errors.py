"""The certification itself: an error of a thousandth in one derivative of each family is caught."""

from __future__ import annotations

import dataclasses
from typing import Any

import certification as certify
import pytest

from xpfit.backends import get_backend
from xpfit.core import many_passes, passes
from xpfit.core.losses import HALF_BINOMIAL, HALF_MULTINOMIAL
from xpfit.core.network import Affine, Dropout, Network, SoftmaxCrossEntropy, SquaredError, Tanh
from xpfit.core.network.objective import NetworkObjective
from xpfit.core.objective import LinearObjective
from xpfit.core.penalties import ElasticNet
from xpfit.core.solvers.huber import HuberObjective

DROPOUT = Network(4, (Affine(6), Dropout(0.4), Tanh(), Affine(3)), SoftmaxCrossEntropy())
SMALL = Network(4, (Affine(3), Tanh(), Affine(2)), SquaredError())


def scaled(function: Any, part: int | None = None) -> Any:
    """The same function with one of its results, or the only one, a thousandth too large."""

    def off(*arguments: Any, **options: Any) -> Any:
        found = function(*arguments, **options)
        if part is None:
            return 1.001 * found
        new = [1.001 * x if k == part else x for k, x in enumerate(found)]
        return type(found)(*new) if hasattr(found, "_fields") else tuple(new)

    return off


class TanhOff(Tanh):
    derivative = scaled(Tanh.derivative)


class AffineOff(Affine):
    def parameter_gradients(self, *arguments: Any) -> Any:
        return scaled(Affine.parameter_gradients, 1)(self, *arguments)


class OutputOff(SoftmaxCrossEntropy):
    gradient = scaled(SoftmaxCrossEntropy.gradient)


class ObjectiveOff(LinearObjective):
    _pull_back = scaled(LinearObjective._pull_back)


class NetworkObjectiveOff(NetworkObjective):
    cost_gradient = scaled(NetworkObjective.cost_gradient, 1)


class HuberHessianOff(HuberObjective):
    hessian = scaled(HuberObjective.hessian)


class HuberGradientOff(HuberObjective):
    at = scaled(HuberObjective.at, 2)


class NetOff(ElasticNet):
    violations = scaled(ElasticNet.violations)


class StepOff(ElasticNet):
    proximal_step = scaled(ElasticNet.proximal_step)


def loss_off(loss: Any, name: str) -> Any:
    return dataclasses.replace(loss, **{name: scaled(getattr(loss, name))})


PLANTED = {
    **{
        f"{loss.name} {name}": lambda b, loss=loss, name=name: certify.certify_loss(
            b, loss_off(loss, name)
        )
        for loss in (HALF_BINOMIAL, HALF_MULTINOMIAL)
        for name in ("gradient", "curvature", "curvature_product")
        if hasattr(loss, name)
    },
    **{
        f"{name} part {part}": lambda b, name=name, part=part: certify.certify_passes(
            b, HALF_BINOMIAL, **{name: scaled(getattr(passes, name), part)}
        )
        for name, part in [
            ("loss_gradient", 1), ("loss_gradient", 2), ("curvature_product", 0),
            ("curvature_product", 1), ("weighted_gram", 1),
        ]
    },
    "many models": lambda b: certify.certify_many_models(
        b, scaled(many_passes.losses_gradients, 1)
    ),
    "objective": lambda b: certify.certify_objective(b, HALF_BINOMIAL, ObjectiveOff),
    "activation": lambda b: certify.certify_layer(b, TanhOff()),
    "parameters": lambda b: certify.certify_layer(b, AffineOff(3)),
    "output": lambda b: certify.certify_output(b, OutputOff()),
    "network": lambda b: certify.certify_network(
        b, dataclasses.replace(DROPOUT, output=OutputOff())
    ),
    "cost of a network": lambda b: certify.certify_network_objective(
        b, SMALL, NetworkObjectiveOff
    ),
    "penalty": lambda b: certify.certify_penalty(b, NetOff(0.7, 0.4)),
    "proximal step": lambda b: certify.certify_penalty(b, StepOff(0.7, 0.4)),
    "huber gradient": lambda b: certify.certify_huber(b, HuberGradientOff),
    "huber hessian": lambda b: certify.certify_huber(b, HuberHessianOff),
}  # fmt: skip


@pytest.mark.parametrize("plant", PLANTED.values(), ids=PLANTED)
def test_an_error_of_a_thousandth_is_caught(plant: Any) -> None:
    with pytest.raises(AssertionError):
        plant(get_backend("numpy"))
