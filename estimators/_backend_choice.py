"""Which backend fits and predicts: what was asked, what the arrays are, and how large X is."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from ..backends import (
    Array,
    Backend,
    BackendUnavailableError,
    backend_of,
    checked_default,
    default_name,
    get_backend,
    is_host_backend,
    resolve_backend,
)
from ..core.passes import is_sparse
from ._crossover import DEFAULT as CROSSOVER
from ._crossover import auto_crossover
from ._inputs import to_host

AUTO = "auto"


def choose_host_backend(n_samples: int, n_features: int, n_stored: int | None = None) -> str:
    """Name of the host backend that `auto` takes for an X of this size.

    Parameters
    ----------
    n_samples, n_features : int
        Shape of X.
    n_stored : int or None
        Stored elements of a sparse X; a dense one stores all of them.

    Returns
    -------
    {"numpy", "numba"}

    Examples
    --------
    >>> from xpfit.estimators._backend_choice import choose_host_backend
    >>> choose_host_backend(270, 13), choose_host_backend(1_000_000, 64)
    ('numpy', 'numba')
    """
    size = n_samples * n_features if n_stored is None else n_stored
    return "numpy" if size < auto_crossover() else "numba"


def _automatic(X: Array, numbers: int = 0) -> Backend:
    n_stored = X.nnz if is_sparse(X) else X.shape[0] * X.shape[1]
    name = choose_host_backend(X.shape[0], X.shape[1], max(n_stored, numbers))
    try:
        return get_backend(name, source="backend='auto'")
    except BackendUnavailableError:
        # `auto` is no demand for Numba: where it cannot be imported NumPy is the choice, and
        # `backend_` says so.
        return get_backend("numpy")


def backend_for_fit(
    argument: str | None, X: Array, *others: Any, who: str, numbers: int = 0
) -> Backend:
    """The backend of a fit: argument > arrays > `use_backend` > XPFIT_BACKEND > auto.

    Parameters
    ----------
    argument : str or None
        `backend=` of the estimator; "auto" outranks context and environment.
    X : array
        Host data may be sent to any backend; arrays on a device stay with theirs.
    *others : arrays or None
        y and sample_weight.
    numbers : int
        X counts as this large, where it is smaller: for fits that do more with it than passes.

    Raises
    ------
    UnknownBackendError, BackendUnavailableError, MixedBackendError
    """
    demanded = None if argument == AUTO else argument
    if demanded is not None:
        get_backend(demanded, source=f"backend= in {who}", also=(AUTO,))
    if backend_of(X, *others, who=who) is not None:
        return resolve_backend(demanded, X, *others, who=who)
    # A misspelt default is an error even where it would not have been used.
    default = checked_default()
    if default is not None and argument is None:
        return get_backend(default)
    if demanded is not None:
        return get_backend(demanded, source=f"backend= in {who}")
    return _automatic(X, numbers)


class ForFit(NamedTuple):
    """What a fit is given, and the backend that it takes."""

    backend: Backend
    X: Array
    y: Any
    sample_weight: Any


def place_for_fit(
    argument: str | None, X: Array, y: Any, weight: Any, *, who: str, numbers: int = 0
) -> ForFit:
    """The backend of a fit, and its arrays where that backend reads them.

    With "auto", device arrays of few numbers come to the host. That is by reckoning: a fit of few
    numbers is all launches there. (JAX on the CPU took 2.5 times NumPy's time for 569 x 30, once it
    had compiled; no GPU was measured.) Without an argument, arrays stay where they are.

    Parameters and errors are those of `backend_for_fit`; y may be None where it stays on the host
    in any case.
    """
    backend = backend_for_fit(argument, X, y, weight, who=who, numbers=numbers)
    on_device = backend_of(X, y, weight) is not None
    small = X.shape[0] * X.shape[1] < CROSSOVER
    # A bfloat16 has no kind that NumPy computes with.
    held = all(np.dtype(a.dtype).kind in "biuf" for a in (X, y) if backend_of(a) is not None)
    if argument != AUTO or not (on_device and small and held):
        return ForFit(backend, X, y, weight)
    X, y, weight = to_host(X), to_host(y), to_host(weight)
    return ForFit(_automatic(X, numbers), X, y, weight)


def backend_for_prediction(argument: str | None, X: Array) -> Backend:
    """The backend of a prediction: that of the arrays; host data need no other library.

    A model that was fitted on a device, or on a backend that this machine lacks, predicts on host
    data with NumPy (or Numba, where X is large and Numba is there).
    """
    name = backend_of(X)
    if name is not None:
        return get_backend(name, source="arrays given to predict")
    asked = argument if argument is not None else default_name()[0]
    if asked is not None and is_host_backend(asked):
        # Unavailable here: another one does, as it does for a model that a device fitted.
        with suppress(BackendUnavailableError):
            return get_backend(asked, source="backend=")
    return _automatic(X)
