"""The models of the command line: what they are for, and which options they take."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from typing import Any

import typer

from ..data.target import Target, Task, choose_task


class ModelName(StrEnum):
    """Values of ``--model``."""

    AUTO = "auto"
    LOGISTIC = "logistic"
    LINEAR = "linear"
    RIDGE = "ridge"
    POISSON = "poisson"
    HUBER = "huber"
    LASSO = "lasso"
    ELASTIC_NET = "elastic-net"
    SGD = "sgd"
    MLP = "mlp"


class ActivationName(StrEnum):
    """Values of ``--activation``."""

    IDENTITY = "identity"
    LOGISTIC = "logistic"
    TANH = "tanh"
    RELU = "relu"
    LEAKY_RELU = "leaky_relu"
    GELU = "gelu"
    SOFTPLUS = "softplus"


class OptimizerName(StrEnum):
    """Values of ``--optimizer``."""

    SGD = "sgd"
    MOMENTUM = "momentum"
    NESTEROV = "nesterov"
    ADAGRAD = "adagrad"
    RMSPROP = "rmsprop"
    ADAM = "adam"
    ADAMW = "adamw"


class ClassWeight(StrEnum):
    """Values of ``--class-weight``."""

    BALANCED = "balanced"


@dataclass(frozen=True)
class Model:
    """One model.

    Parameters
    ----------
    class_name : str
        Its class in ``xpfit.estimators``.
    title : str
        What the report calls it.
    task : str
        ``"classification"`` or ``"regression"``.
    takes : frozenset of str
        The options that it knows.

    Examples
    --------
    >>> MODELS["ridge"].class_name
    'Ridge'
    """

    class_name: str
    title: str
    task: Task
    takes: frozenset[str]


_DESCENT = frozenset(
    {"alpha", "l1_ratio", "max_iter", "tol", "optimizer", "batch_size", "learning_rate"}
)
_NETWORK = _DESCENT | {"hidden_layer_sizes", "activation"}
_ITERATED = frozenset({"alpha", "max_iter", "tol"})
MODELS = {
    "logistic": Model(
        "LogisticRegression", "Logistic model", "classification",
        frozenset({"C", "class_weight", "max_iter", "tol"}),
    ),
    "linear": Model("LinearRegression", "Linear model", "regression", frozenset({"tol"})),
    "ridge": Model("Ridge", "Ridge model", "regression", _ITERATED),
    "poisson": Model("PoissonRegressor", "Poisson model", "regression", _ITERATED),
    "huber": Model("HuberRegressor", "Huber model", "regression", _ITERATED),
    "lasso": Model("Lasso", "Lasso model", "regression", _ITERATED),
    "elastic-net": Model(
        "ElasticNet", "Elastic-net model", "regression", _ITERATED | {"l1_ratio"}
    ),
    "sgd-classifier": Model(
        "SGDClassifier", "SGD classifier", "classification", _DESCENT | {"class_weight"}
    ),
    "sgd-regressor": Model("SGDRegressor", "SGD regressor", "regression", _DESCENT),
    "mlp-classifier": Model(
        "MLPClassifier", "Network classifier", "classification", _NETWORK | {"class_weight"}
    ),
    "mlp-regressor": Model("MLPRegressor", "Network regressor", "regression", _NETWORK),
}  # fmt: skip
# One name on the command line; the target says which of them it is.
_BY_TARGET: dict[str, dict[Task, str]] = {
    name: {"classification": f"{name}-classifier", "regression": f"{name}-regressor"}
    for name in ("sgd", "mlp")
}
_MOMENTUM = 0.9


def predicts_classes(model: str) -> bool:
    """Whether this is the name of a classifier.

    Examples
    --------
    >>> predicts_classes("logistic"), predicts_classes("lasso")
    (True, False)
    """
    known = MODELS.get(model)
    return known is not None and known.task == "classification"


@dataclass(frozen=True)
class ModelOptions:
    """What the user said about the model; ``None`` where nothing was said.

    Parameters
    ----------
    model : str
        A name, or ``"auto"``.
    backend : str
        A backend's name, or ``"auto"``.
    C, alpha : float, optional
        Penalty of the logistic model (inverse), and of the others.
    max_iter, tol : optional
        When to stop.
    class_weight : str, optional
        ``"balanced"``.
    l1_ratio : float, optional
        Share of the L1 penalty.
    optimizer, batch_size, learning_rate : optional
        Of mini-batch descent.
    seed : int
        Shuffles its batches, and draws the first weights of a network.
    hidden_layer_sizes, activation : optional
        Of a network.

    Examples
    --------
    >>> ModelOptions("ridge", alpha=2.0).given()
    {'alpha': 2.0}
    """

    model: str
    backend: str = "auto"
    C: float | None = None
    alpha: float | None = None
    max_iter: int | None = None
    tol: float | None = None
    class_weight: str | None = None
    l1_ratio: float | None = None
    optimizer: str | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    seed: int = 0
    hidden_layer_sizes: tuple[int, ...] | None = None
    activation: str | None = None

    def given(self) -> dict[str, Any]:
        """The options that were given."""
        names = (
            "C", "alpha", "max_iter", "tol", "class_weight", "l1_ratio", "optimizer", "batch_size",
            "learning_rate", "hidden_layer_sizes", "activation",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


def choose_model(target: Target, options: ModelOptions) -> tuple[str, str]:
    """Return the model and the reason for it.

    Examples
    --------
    >>> import numpy as np
    >>> target = Target("y", np.array(["no", "yes"]), np.arange(2), 0)
    >>> choose_model(target, ModelOptions("auto"))
    ('logistic', "'y' is text with 2 distinct values")
    """
    if options.model != ModelName.AUTO and options.model not in _BY_TARGET:
        return options.model, "asked for by --model"
    task, reason = choose_task(target)
    if options.model in _BY_TARGET:
        return _BY_TARGET[options.model][task], f"asked for by --model; {reason}"
    return ("logistic" if task == "classification" else "ridge"), reason


def check_options(model: str, options: ModelOptions) -> None:
    """Refuse options that the model does not know.

    Raises
    ------
    typer.BadParameter
        A usage error: exit code 2.

    Examples
    --------
    >>> check_options("ridge", ModelOptions("ridge", alpha=2.0))
    """
    for name in options.given():
        if name not in MODELS[model].takes:
            flag = "--" + name.replace("_", "-")
            takers = [other for other in MODELS if name in MODELS[other].takes]
            for asked, both in _BY_TARGET.items():
                if set(both.values()) <= set(takers):
                    takers = [*(other for other in takers if other not in both.values()), asked]
            message = f"{flag} is for {', '.join(takers)}; the model here is {model}"
            raise typer.BadParameter(message, param_hint=flag)
    for name in ("alpha", "tol", "learning_rate"):
        if math.isinf(getattr(options, name) or 0.0):
            flag = "--" + name.replace("_", "-")
            message = f"{flag} must be finite"
            raise typer.BadParameter(message, param_hint=flag)
    plain = options.optimizer in {None, OptimizerName.SGD}
    if model == "sgd-classifier" and plain and options.alpha == 0.0 and not options.learning_rate:
        message = (
            "without a penalty nothing says how fast the learning rate is to fall; give "
            "--learning-rate too, or an --alpha above 0"
        )
        raise typer.BadParameter(message, param_hint="--alpha")


def build(model: str, options: ModelOptions, callback: Callable[[Any], None]) -> Any:
    """Make the estimator; what was not given keeps the estimator's own default.

    Parameters
    ----------
    model : str
    options : ModelOptions
    callback : callable
        Called with the record of each iteration.
    """
    estimators = import_module("..estimators", __package__)
    backend = None if options.backend == "auto" else options.backend
    make = getattr(estimators, MODELS[model].class_name)
    parameters = options.given()
    if model.startswith(tuple(_BY_TARGET)):
        translated = _of_network if model.startswith(ModelName.MLP) else _of_descent
        parameters = translated(parameters) | {"random_state": options.seed}
    return make(backend=backend, callbacks=[callback], **parameters)


def _of_descent(given: dict[str, Any]) -> dict[str, Any]:
    """What the options are called by `SGDClassifier` and `SGDRegressor`."""
    parameters = dict(given)
    if "l1_ratio" in given:
        parameters["penalty"] = "elasticnet"
    if "learning_rate" in given:
        # "optimal" and "invscaling" would make something else of it.
        parameters |= {"learning_rate": "adaptive", "eta0": given["learning_rate"]}
    optimizer = given.get("optimizer")
    if optimizer in {OptimizerName.MOMENTUM, OptimizerName.NESTEROV}:
        parameters |= {
            "optimizer": "sgd", "momentum": _MOMENTUM,
            "nesterov": optimizer == OptimizerName.NESTEROV,
        }  # fmt: skip
    return parameters


def _of_network(given: dict[str, Any]) -> dict[str, Any]:
    """What the options are called by `MLPClassifier` and `MLPRegressor`."""
    parameters = dict(given)
    if "learning_rate" in given:
        parameters |= {"learning_rate": "adaptive", "learning_rate_init": given["learning_rate"]}
    optimizer = given.get("optimizer")
    if optimizer in {OptimizerName.SGD, OptimizerName.MOMENTUM, OptimizerName.NESTEROV}:
        parameters |= {
            "optimizer": "sgd", "momentum": 0.0 if optimizer == OptimizerName.SGD else _MOMENTUM,
            "nesterovs_momentum": optimizer == OptimizerName.NESTEROV,
        }  # fmt: skip
    return parameters
