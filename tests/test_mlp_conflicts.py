"""Parameters of networks of which one would have no effect are refused; names of optimizers."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from mlp_data import SMALL, quietly, three_classes

from xpfit import MLPClassifier, MLPRegressor
from xpfit.core.network import Affine, Tanh
from xpfit.core.optimizers import SGD, Adam
from xpfit.core.schedules import Cosine

FEW: dict[str, Any] = {**SMALL, "max_iter": 2}
ADAM = Adam(0.02)
PLAIN = {name: value for name, value in FEW.items() if name != "learning_rate_init"}


@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"optimizer": ADAM, "learning_rate_init": 0.1}, "learning_rate_init=0.1): the optimizer"),
        ({"optimizer": ADAM, "schedule": "cosine"}, "schedule would have no effect. Set them"),
        ({"optimizer": ADAM, "learning_rate": "invscaling"}, "learning_rate would have no effect"),
        ({"optimizer": ADAM, "beta_1": 0.8, "epsilon": 1e-3}, "beta_1, epsilon would have no"),
        ({"optimizer": SGD(0.1), "momentum": 0.5}, "momentum would have no effect"),
        ({"optimizer": SGD(0.1), "nesterovs_momentum": False}, "nesterovs_momentum would have no"),
        ({"schedule": "cosine", "learning_rate": "invscaling"}, "in place of learning_rate. Leave"),
        ({"schedule": "cosine", "learning_rate": "adaptive"}, "in place of learning_rate. Leave"),
        ({"schedule": "one_cycle", "power_t": 0.3}, "in place of power_t. Leave one"),
        ({"schedule": Cosine(0.1, 9), "learning_rate_init": 0.1}, "place of learning_rate_init."),
        ({"optimizer": "nesterov", "nesterovs_momentum": False}, "contradict each other"),
        ({"optimizer": "momentum", "momentum": 0.0}, "nothing is left of it"),
        ({"optimizer": "nesterov", "momentum": 0.0}, "nothing is left of it"),
        ({"optimizer": "nesterof"}, "adamw, momentum, nesterov. Did you mean 'nesterov'?"),
    ],
    ids=str,
)  # fmt: skip
def test_what_would_have_no_effect_is_refused(cls: Any, options: Any, text: str) -> None:
    X, y = three_classes()
    model = cls(**{**PLAIN, **options})
    with pytest.raises(ValueError, match=cls.__name__) as caught:
        model.fit(X, y)
    assert text in str(caught.value)
    assert not hasattr(model, "theta_")


@pytest.mark.parametrize("initializer", ["zeros", "xavier"])
def test_an_initializer_beside_layers_with_another_one_is_refused(initializer: str) -> None:
    model = MLPClassifier(
        max_iter=1, layers=(Tanh(), Affine(3, "he")), initializer=initializer, random_state=0
    )
    text = rf"layer 2 of them.*Write Affine\(3, '{initializer}'\) there, or leave initializer out"
    with pytest.raises(ValueError, match=text):
        model.fit(*three_classes())


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": ADAM, "learning_rate_init": 0.001, "learning_rate": "adaptive"},
        {"schedule": "cosine", "learning_rate_init": 0.05},
        {"schedule": Cosine(0.1, 9), "learning_rate_init": 0.001},
        {"layers": (Affine(3, "zeros"),), "initializer": "zeros", "hidden_layer_sizes": [100]},
        {"layers": (Tanh(),), "initializer": "he", "hidden_layer_sizes": np.asarray([100])},
    ],
    ids=str,
)  # fmt: skip
def test_defaults_and_what_agrees_are_no_conflict(options: Any) -> None:
    X, y = three_classes()
    model = quietly(MLPClassifier(**{**PLAIN, **options}), X, y)
    assert np.isfinite(model.loss_)
    if options.get("initializer") == "zeros":
        # Of the layer that is added, too: nothing but the last bias has a gradient.
        assert not any(W.any() for W in model.coefs_)


@pytest.mark.parametrize(("name", "nesterov"), [("momentum", False), ("nesterov", True)])
@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_names_of_momentum(cls: Any, name: str, nesterov: bool) -> None:
    X, y = three_classes()
    named = quietly(cls(**FEW, optimizer=name, momentum=0.7), X, y)
    asked = quietly(cls(**FEW, solver="sgd", momentum=0.7, nesterovs_momentum=nesterov), X, y)
    np.testing.assert_array_equal(named.theta_, asked.theta_)
    assert named.solver_ == "sgd"
    other = quietly(cls(**FEW, solver="sgd", momentum=0.7, nesterovs_momentum=not nesterov), X, y)
    assert np.any(named.theta_ != other.theta_)


def test_the_docstring_names_every_optimizer() -> None:
    from xpfit.estimators._mlp_optimizer import _KINDS

    told = re.search(r"optimizer : \{(.*?)\}", MLPClassifier.__doc__ or "")
    assert told is not None
    assert set(re.findall(r'"(\w+)"', told[1])) == set(_KINDS)
