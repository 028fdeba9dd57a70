"""Every hand-written derivative of `core`, certified by the computation graph on every backend.

What there is to certify is found by looking: a new layer or loss is certified as it comes, and
another new derivative makes `test_nothing_is_left_out` fail until it is named here.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import certification as certify
import pytest
from network_cases import NETWORKS

import xpfit.core
from xpfit.backends import Backend, get_backend
from xpfit.core import generic_passes, losses, many_passes, passes
from xpfit.core.losses import HALF_BINOMIAL, HALF_MULTINOMIAL, MulticlassLoss, PointwiseLoss, huber
from xpfit.core.network import (
    Affine,
    Dropout,
    Layer,
    LeakyReLU,
    Network,
    Output,
    SoftmaxCrossEntropy,
    SquaredError,
    Tanh,
)  # fmt: skip
from xpfit.core.network.objective import NetworkObjective
from xpfit.core.objective import LinearObjective
from xpfit.core.penalties import ElasticNet
from xpfit.core.scaling import Scaling
from xpfit.core.solvers.diagonal import mean_curvature
from xpfit.core.solvers.huber import HuberObjective


@pytest.fixture(autouse=True)
def strict_arrays_defer_to_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """array * node is the node's to answer, as Python has it. array-api-strict raises instead:
    it means numpy.float64, and a formula may well have a plain array on the left."""
    try:
        from array_api_strict._array_object import Array
    except ImportError:
        return
    check = Array._check_type_device

    def deferring(self: Any, other: Any) -> None:
        if not hasattr(other, "__array_namespace__") or isinstance(other, Array):
            check(self, other)

    monkeypatch.setattr(Array, "_check_type_device", deferring)


def kinds_below(base: type) -> list[type]:
    """All of its concrete subclasses that stand in `core`."""
    found: list[type] = []
    for kind in base.__subclasses__():
        own = kind.__module__.startswith("xpfit.core") and not inspect.isabstract(kind)
        found += [*([kind] if own else []), *kinds_below(kind)]
    return found


def modules() -> Iterator[Any]:
    for each in pkgutil.walk_packages(xpfit.core.__path__, "xpfit.core."):
        yield importlib.import_module(each.name)


CORE = list(modules())
# Those whose default would hide a number, or that have none.
MADE: dict[type, Any] = {Affine: Affine(5), Dropout: Dropout(0.4), LeakyReLU: LeakyReLU(0.3)}
LAYERS = {kind: MADE.get(kind) or kind() for kind in kinds_below(Layer)}
OUTPUTS = {kind: kind() for kind in kinds_below(Output)}
LOSSES = [
    huber(0.8),
    *(x for x in vars(losses).values() if isinstance(x, PointwiseLoss | MulticlassLoss)),
]
# Of one output, with parameters, and of several.
PASS_LOSSES = [huber(0.8), HALF_MULTINOMIAL]
DROPOUT = Network(4, (Affine(6), Dropout(0.4), Tanh(), Affine(3)), SoftmaxCrossEntropy())
SOME_NETWORKS = {
    "dropout": DROPOUT,
    **{name: NETWORKS[name] for name in ("both norms", "batch norm of x")},
}
SMALL = Network(4, (Affine(3), Tanh(), Affine(2)), SquaredError())


def named(thing: Any) -> str:
    return thing.name


@pytest.mark.parametrize("loss", LOSSES, ids=named)
def test_losses(backend: Backend, loss: Any) -> None:
    certify.certify_loss(backend, loss)


@pytest.mark.parametrize("loss", PASS_LOSSES, ids=named)
def test_passes(backend: Backend, loss: Any) -> None:
    certify.certify_passes(backend, loss)


@pytest.mark.parametrize("loss", PASS_LOSSES, ids=named)
def test_generic_passes(loss: Any) -> None:
    certify.certify_passes(get_backend("numba"), loss, fused=False)


def test_many_models(backend: Backend) -> None:
    certify.certify_many_models(backend)


@pytest.mark.parametrize(
    ("loss", "fit_intercept"),
    [(HALF_BINOMIAL, True), (huber(0.8), False), (HALF_MULTINOMIAL, True)],
)
def test_objectives(backend: Backend, loss: Any, fit_intercept: bool) -> None:
    certify.certify_objective(backend, loss, fit_intercept=fit_intercept)


@pytest.mark.parametrize("layer", LAYERS.values(), ids=named)
def test_layers(backend: Backend, layer: Layer) -> None:
    certify.certify_layer(backend, layer)


@pytest.mark.parametrize("output", OUTPUTS.values(), ids=named)
def test_outputs(backend: Backend, output: Output) -> None:
    certify.certify_output(backend, output)


@pytest.mark.parametrize("name", SOME_NETWORKS)
def test_networks(backend: Backend, name: str) -> None:
    certify.certify_network(backend, SOME_NETWORKS[name])


def test_the_cost_of_a_network(backend: Backend) -> None:
    certify.certify_network_objective(backend, SMALL, NetworkObjective)


@pytest.mark.parametrize("net", [ElasticNet(0.7), ElasticNet(0.7, 0.4), ElasticNet(0.0, 0.4)])
def test_penalties(backend: Backend, net: ElasticNet) -> None:
    certify.certify_penalty(backend, net)


def test_huber_with_its_scale(backend: Backend) -> None:
    certify.certify_huber(backend)


DERIVATIVE = re.compile(
    "gradient|curvature|hessian|gram|backward|derivative|pull(ed)?_back|violation|slope"
)

# Names that sound like derivatives, and what they are instead.
NO_DERIVATIVE = {
    "learning_rates": "largest curvatures of a loss, known beforehand",
    "network.contract": "looks at shapes",
    "network.layer": "abstract",
    "solvers.smooth": "abstract",
    "path_gaps": "sums of a certificate, written as a loss: one is not the derivative of the other",
    "path_gram": "moves the origin of a quadratic that is given",
    "path_newton": "puts arrays beside each other",
    "path_columns": "asks a kernel of the Numba backend, compared with fits of X",
    "fold_gram": "products of columns",
    "solvers.leave_one_out": "products of columns",
    "solvers.preconditioner": "estimates from a sample, of what LinearObjective returns",
    "solvers.sparse_cost": "ElasticNet.violations, the largest",
}


def derivatives() -> dict[str, Any]:
    """Functions and methods of `core` whose names sound like derivatives, by where they stand."""
    found: dict[str, Any] = {}
    for module in CORE:
        place = module.__name__.removeprefix("xpfit.core.")
        if place.startswith("graph") or place == "gradient_check":
            continue
        for name, thing in vars(module).items():
            if getattr(thing, "__module__", None) != module.__name__:
                continue
            owned = vars(thing) if inspect.isclass(thing) else {"": thing}
            for own, function in owned.items():
                if inspect.isfunction(function) and DERIVATIVE.search(own or name):
                    found[f"{place}:{name}{'.' if own else ''}{own}"] = function
    return found


def certified() -> set[Any]:
    """The functions that the tests above call, or that what they call consists of."""
    found: set[Any] = {
        passes.loss_gradient, passes.curvature_product, passes.weighted_gram,
        generic_passes.generic_loss_gradient, generic_passes.generic_curvature_product,
        generic_passes.generic_weighted_gram, generic_passes._loss_gradient,
        generic_passes._pointwise_gram, generic_passes._multinomial_gram,
        many_passes.losses_gradients, many_passes.generic_losses_gradients, mean_curvature,
        xpfit.core.network.normalization._pulled_back,
    }  # fmt: skip
    for loss in LOSSES:
        found |= {loss.gradient, loss.curvature, getattr(loss, "curvature_product", None)}
    for kind in (
        *LAYERS, *OUTPUTS, Network, NetworkObjective, LinearObjective, Scaling, ElasticNet,
        HuberObjective,
    ):  # fmt: skip
        for base in kind.__mro__:
            found |= {x for x in vars(base).values() if inspect.isfunction(x)}
    return found


def test_nothing_is_left_out() -> None:
    found, known = derivatives(), certified()
    missing = [
        place
        for place, function in found.items()
        if function not in known and place.split(":")[0] not in NO_DERIVATIVE
    ]
    assert missing == []
    # What stands in the list without need would hide what comes.
    assert set(NO_DERIVATIVE) <= {place.split(":")[0] for place in found}
    assert len(found) > 70
    assert len(LAYERS) >= 13
    assert {type(layer) for layer in DROPOUT.layers} < set(LAYERS)
    own = [x for m in CORE for x in vars(m).values() if isinstance(x, MulticlassLoss)]
    assert set(map(id, own)) <= set(map(id, LOSSES))
