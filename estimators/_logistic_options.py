"""What scikit-learn's penalty, l1_ratio, solver, dual and n_jobs mean here."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ._inputs import name_of
from ._logistic_descent import DESCENTS

# The solver names of scikit-learn's users, and what runs. The optimum is the same for all.
LOGISTIC_SOLVERS = {
    "auto": "auto",
    "lbfgs": "lbfgs",
    "newton": "newton",
    "newton-cholesky": "newton",
    "newton-cg": "newton",
    "liblinear": "auto",
    "sag": "auto",
    "saga": "auto",
    **{name: name for name in DESCENTS},
}
# Those that scikit-learn has for an L1 penalty too, and ours. All run proximal Newton or FISTA.
L1_SOLVERS = {"auto", "liblinear", "saga"}


def penalty_strengths(estimator: Any) -> tuple[float, float]:
    """(L1, L2) strengths, l1_ratio / C and (1 - l1_ratio) / C; scikit-learn's deprecations
    on the way.

    Raises
    ------
    ValueError
        For an L1 penalty with a solver of smooth costs, or penalty="elasticnet" without a ratio.
    """
    _warn_of_deprecated(estimator)
    if estimator.penalty is None or np.isinf(estimator.C):
        return 0.0, 0.0
    ratio = l1_share(estimator)
    return ratio / float(estimator.C), (1.0 - ratio) / float(estimator.C)


def _warn_of_deprecated(estimator: Any) -> None:
    if estimator.n_jobs is not None:
        warnings.warn(
            f"'n_jobs' has no effect on {name_of(estimator)} and is deprecated in scikit-learn. "
            f"You provided n_jobs={estimator.n_jobs}; leave it unspecified.",
            FutureWarning,
            stacklevel=5,
        )
    if estimator.penalty != "deprecated":
        warnings.warn(
            "'penalty' was deprecated in scikit-learn 1.8. Leave it out: use C=np.inf instead of "
            "penalty=None, l1_ratio=1 instead of penalty='l1', and nothing instead of 'l2'.",
            FutureWarning,
            stacklevel=5,
        )
    if estimator.l1_ratio is None:
        warnings.warn(
            "'l1_ratio=None' was deprecated in scikit-learn 1.8. Use l1_ratio=0.",
            FutureWarning,
            stacklevel=5,
        )


def l1_share(estimator: Any) -> float:
    """The share of the L1 penalty, from `penalty` or `l1_ratio`.

    Raises
    ------
    ValueError
        As `penalty_strengths`.
    """
    penalty, l1_ratio = estimator.penalty, estimator.l1_ratio
    ratio = {"l1": 1.0, "l2": 0.0}.get(penalty, l1_ratio)
    if ratio is None and penalty == "elasticnet":
        message = (
            f"{name_of(estimator)}(penalty='elasticnet', l1_ratio=None): the share of the L1 "
            "penalty is missing. Pass l1_ratio between 0 and 1."
        )
        raise ValueError(message)
    ratio = float(ratio or 0.0)
    check_l1_solver(estimator, ratio, _asked(penalty, l1_ratio))
    return ratio


def check_l1_solver(estimator: Any, ratio: float, asked: str) -> None:
    """Refuse a solver of smooth costs where there is an L1 penalty.

    Raises
    ------
    ValueError
    """
    if ratio > 0.0 and estimator.solver not in L1_SOLVERS:
        message = (
            f"{name_of(estimator)}(solver={estimator.solver!r}): an L1 penalty ({asked}) was "
            "asked for, but this solver is for smooth costs. Use solver='auto' (or scikit-learn's "
            "names 'saga' and 'liblinear'), or l1_ratio=0."
        )
        raise ValueError(message)


def _asked(penalty: Any, l1_ratio: Any) -> str:
    return f"{penalty=}" if penalty in {"l1", "elasticnet"} else f"{l1_ratio=}"


def choose_solver(estimator: Any, n_classes: int) -> str:
    """The solver of `core` for the name that was asked for.

    Raises
    ------
    ValueError
        For liblinear with three classes or more, or an option that only liblinear has.
    """
    who, solver = name_of(estimator), estimator.solver
    if solver == "liblinear" and n_classes > 2:
        message = (
            f"{who}(solver='liblinear'): The 'liblinear' solver does not support multiclass "
            f"classification, and y has {n_classes} classes. Use solver='auto', or wrap the "
            "estimator in sklearn.multiclass.OneVsRestClassifier."
        )
        raise ValueError(message)
    if estimator.dual and solver != "liblinear":
        message = (
            f"{who}(dual=True): solver={solver!r} supports only dual=False. Leave dual out; the "
            "optimum is the same."
        )
        raise ValueError(message)
    if estimator.intercept_scaling != 1 and solver == "liblinear":
        message = (
            f"{who}(intercept_scaling={estimator.intercept_scaling!r}): the intercept is not "
            "penalised here, so there is nothing to scale. Leave intercept_scaling out."
        )
        raise ValueError(message)
    return LOGISTIC_SOLVERS[solver]


def refuse_descents(solver: str, who: str) -> None:
    """Raise for a solver that is there to watch one fit descend: paths have solvers of their own.

    Raises
    ------
    ValueError
    """
    if solver in DESCENTS:
        message = (
            f"{who}: solver={solver!r} is for single fits of LogisticRegression; a path of "
            "penalties is solved by methods of its own. Leave solver out."
        )
        raise ValueError(message)
