"""The models of the command line: what they are for, and which options they take."""

from __future__ import annotations

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
    task : str
        ``"classification"`` or ``"regression"``.
    takes : frozenset of str
        The penalty options that it knows.

    Examples
    --------
    >>> MODELS["ridge"].class_name
    'Ridge'
    """

    class_name: str
    task: Task
    takes: frozenset[str]


MODELS = {
    "logistic": Model(
        "LogisticRegression", "classification", frozenset({"C", "class_weight", "max_iter", "tol"})
    ),
    "linear": Model("LinearRegression", "regression", frozenset({"tol"})),
    "ridge": Model("Ridge", "regression", frozenset({"alpha", "max_iter", "tol"})),
    "poisson": Model("PoissonRegressor", "regression", frozenset({"alpha", "max_iter", "tol"})),
    "huber": Model("HuberRegressor", "regression", frozenset({"alpha", "max_iter", "tol"})),
}


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

    def given(self) -> dict[str, Any]:
        """The options that were given."""
        names = ("C", "alpha", "max_iter", "tol", "class_weight")
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
    if options.model != ModelName.AUTO:
        return options.model, "asked for by --model"
    task, reason = choose_task(target)
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
            takers = ", ".join(other for other in MODELS if name in MODELS[other].takes)
            message = f"{flag} is for {takers}; the model here is {model}"
            raise typer.BadParameter(message, param_hint=flag)


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
    return make(backend=backend, callbacks=[callback], **options.given())
