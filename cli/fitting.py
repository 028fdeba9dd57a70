"""The fit and its scores: the second half of ``xpfit train``."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .models import ModelOptions, build, predicts_classes
from .preparing import Prepared
from .scores import classification_scores, regression_scores
from .wording import with_flags


@dataclass(frozen=True)
class Step:
    """One iteration of the solver, as plots and summaries need it.

    Parameters
    ----------
    iteration, n_passes : int
    loss, gradient_norm, seconds : float

    Examples
    --------
    >>> Step(1, 2, 0.69, 0.1, 0.01).n_passes
    2
    """

    iteration: int
    n_passes: int
    loss: float
    gradient_norm: float
    seconds: float


@dataclass(frozen=True)
class Fitted:
    """An estimator after its fit, and what the fit cost.

    Parameters
    ----------
    estimator : estimator
    seconds : float
        Wall-clock time of ``fit``, compilation and transfers included.
    history : tuple of Step
    warnings : tuple of str
        What the estimator warned of.
    bytes_per_pass : int
        Size of the training matrix: what one pass reads.
    """

    estimator: Any
    seconds: float
    history: tuple[Step, ...]
    warnings: tuple[str, ...]
    bytes_per_pass: int

    @property
    def coefficients(self) -> NDArray[Any]:
        """All that a penalty shrinks: coefficients, or the weights of a network."""
        weights = getattr(self.estimator, "coefs_", None)
        if weights is None:
            return np.asarray(self.estimator.coef_)
        return np.concatenate([weight.ravel() for weight in weights])

    @property
    def n_passes(self) -> int:
        """Reads of the training matrix."""
        return int(self.estimator.n_passes_)

    @property
    def stop_reason(self) -> str:
        """Why the solver stopped."""
        return str(self.estimator.stop_reason_)

    @property
    def bytes_per_second(self) -> float:
        """Bytes of the training matrix read per second of the fit."""
        return self.n_passes * self.bytes_per_pass / max(self.seconds, 1e-9)


@dataclass(frozen=True)
class Outcome:
    """Predictions and scores of one part of the rows.

    Parameters
    ----------
    y : ndarray, shape (n_rows,)
    predicted : ndarray
        Probabilities (n_rows, n_classes), or numbers (n_rows,).
    scores : dict of str to float
    """

    y: NDArray[Any]
    predicted: NDArray[np.float64]
    scores: dict[str, float] = field(default_factory=dict)


def size_in_bytes(matrix: Any) -> int:
    """Return what one read of a dense or CSR matrix moves.

    Examples
    --------
    >>> size_in_bytes(np.zeros((10, 2)))
    160
    """
    if isinstance(matrix, np.ndarray):
        return int(matrix.nbytes)
    return int(matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes)


def fit(prepared: Prepared, options: ModelOptions, callback: Callable[[Any], None]) -> Fitted:
    """Fit the model.

    Parameters
    ----------
    prepared : Prepared
    options : ModelOptions
    callback : callable
        Called with each record of the solver's history.
    """
    estimator = build(prepared.model, options, callback)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start = time.perf_counter()
        estimator.fit(prepared.X_train, prepared.y_train)
        seconds = time.perf_counter() - start
    # the callback is of this run only: it must not travel with the model
    estimator.set_params(callbacks=None)
    said = (" ".join(str(entry.message).split()) for entry in caught)
    told = dict.fromkeys(map(with_flags, said))
    history = tuple(
        Step(
            int(record.iteration),
            int(record.n_passes),
            float(record.loss),
            float(record.gradient_norm),
            float(record.seconds),
        )
        for record in estimator.result_.history
    )
    return Fitted(estimator, seconds, history, tuple(told), size_in_bytes(prepared.X_train))


def classes_of(estimator: Any) -> NDArray[Any]:
    """Return the classes as text or numbers, never as objects, so that they compare with a column.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> classes_of(SimpleNamespace(classes_=np.array(["a", "b"], dtype=object))).dtype.kind
    'U'
    """
    return np.asarray(np.asarray(estimator.classes_).tolist())


def evaluate(estimator: Any, model: str, X: Any, y: NDArray[Any]) -> Outcome:
    """Predict and score.

    Parameters
    ----------
    estimator : fitted estimator
    model : str
        Its name on the command line.
    X : ndarray or CSR matrix, shape (n_rows, n_features)
    y : ndarray, shape (n_rows,)
    """
    if predicts_classes(model):
        probability = np.asarray(estimator.predict_proba(X), dtype=np.float64)
        return Outcome(y, probability, classification_scores(y, probability, classes_of(estimator)))
    predicted = np.asarray(estimator.predict(X), dtype=np.float64)
    return Outcome(y, predicted, regression_scores(y, predicted, counts=model == "poisson"))
