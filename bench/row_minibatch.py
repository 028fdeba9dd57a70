"""Row `minibatch`: one epoch of mini-batch descent, against scikit-learn, PyTorch and optax."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from ..backends import BackendUnavailableError
from ..core.losses import HALF_BINOMIAL, HALF_MULTINOMIAL
from .descent_peers import optax_epoch, our_epoch, torch_epoch
from .figures import Row
from .peers import has, missing_note, quiet
from .problems import Problem, classification_sets, gaussian, logistic_problem, text_counts
from .row_pass import relative_error
from .sizes import Size, pause_for, rounds_for
from .timing import compare

KEY = "minibatch"
SET = {"tiny": "wine", "full": "covtype_92962"}
SHAPES = {"tiny": (512, 8, 3), "full": (100_000, 64, 10)}
BATCH = 32
OURS, JAX, TORCH, OPTAX = "xpfit numba", "xpfit jax", "PyTorch loop", "optax scan, jitted"
SKLEARN, ADAM = "scikit-learn SGDClassifier", "xpfit numba, Adam"
TEXT_EPOCHS = 10
CUPY = "xpfit cupy"
ONE_ROW: dict[str, Any] = {
    "loss": "log_loss", "learning_rate": "constant", "eta0": 1e-3, "max_iter": 1, "tol": None,
    "random_state": 0,
}  # fmt: skip


def _table(size: Size) -> Problem:
    """The set of the issue, or, without the data folder, one that scikit-learn brings along."""
    sets = {problem.name: problem for problem in classification_sets()}
    return sets.get(SET[size]) or sets.get(SET["tiny"]) or next(iter(sets.values()))


def one_row_at_a_time(
    problem: Problem, n_epochs: int = 1, **more: Any
) -> dict[str, Callable[[], Any]]:
    """Epochs of `fit` with batches of one row: the second class against the rest."""
    import sklearn.linear_model

    from ..estimators import SGDClassifier

    X, y = problem.X, (problem.y == 1).astype(np.int64)

    def fitted(cls: Any, **options: Any) -> Callable[[], Any]:
        def run() -> Any:
            with quiet():
                model = cls(**ONE_ROW | {"max_iter": n_epochs} | options).fit(X, y)
            return model.coef_, model.intercept_

        return run

    # In the order of the rows both take the same steps: that is checked, and not timed.
    plain = {"shuffle": False, "alpha": 0.0, **more}
    theirs = fitted(sklearn.linear_model.SGDClassifier, **plain)()
    compare(
        {SKLEARN: lambda: theirs, OURS: fitted(SGDClassifier, backend="numba", **plain)},
        rounds=1, error=relative_error, tolerance=1e-8, pause=0.0, shortest_sample=0.0,
    )  # fmt: skip
    return {
        OURS: fitted(SGDClassifier, backend="numba"),
        ADAM: fitted(SGDClassifier, backend="numba", optimizer="adam"),
        SKLEARN: fitted(sklearn.linear_model.SGDClassifier),
    }


def text(size: Size) -> tuple[Problem, dict[str, Callable[[], Any]]]:
    """Ten epochs on a CSR matrix of many columns.

    For sparse X scikit-learn moves the intercept by a hundredth of the rate, so the steps are
    compared without one; and they are with the penalty, which is what could cost all columns.
    """
    problem = text_counts(size)
    found = one_row_at_a_time(problem, TEXT_EPOCHS, fit_intercept=False, alpha=1e-4)
    del found[ADAM]  # every step moves every column: some 50 times the time, of no news
    return problem, found


def batches(size: Size, n_outputs: int) -> dict[str, Callable[[], Any]]:
    """One epoch of Adam with batches of 32 rows, from zero, in one given order."""
    n_samples, n_features, _ = SHAPES[size]
    order = np.random.default_rng(2).permutation(n_samples)
    if n_outputs == 1:
        problem = logistic_problem(n_samples, n_features, 1.0)
        X, y, loss = problem.X, problem.y.astype(np.float64), HALF_BINOMIAL
    else:
        X = gaussian(n_samples, n_features)
        raw = X @ np.random.default_rng(3).standard_normal((n_features, n_outputs))
        y, loss = np.argmax(raw, axis=1), HALF_MULTINOMIAL
    found = {OURS: our_epoch("numba", X, y, order, BATCH, loss, n_outputs)}
    if has("torch"):
        found[TORCH] = torch_epoch(X, y, order, BATCH, n_outputs)
    if has("jax"):
        found[JAX] = our_epoch("jax", X, y, order, BATCH, loss, n_outputs)
    with suppress(BackendUnavailableError):  # most machines have no CUDA device
        found[CUPY] = our_epoch("cupy", X, y, order, BATCH, loss, n_outputs)
    if has("jax") and has("optax"):
        found[OPTAX] = optax_epoch(X, y, order, BATCH, n_outputs)
    return found


def run(size: Size, rounds: int | None = None) -> dict[str, Any]:
    """Measure the row."""
    problem, (n_samples, n_features, n_classes) = _table(size), SHAPES[size]
    row = Row(
        KEY,
        f"one epoch of mini-batch descent: batches of one row on {problem.name} "
        f"({problem.X.shape[0]:,} x {problem.X.shape[1]}, standardized, second class against the "
        f"rest); Adam, batches of {BATCH}, on {n_samples:,} x {n_features}, float64",
        notes=missing_note(("torch", "jax", "optax")),
    )
    options: dict[str, Any] = {
        "rounds": rounds_for(size, rounds, 9), "pause": pause_for(size),
        "shortest_sample": 0.02 if size == "full" else 0.0,
    }  # fmt: skip
    single = compare(
        one_row_at_a_time(problem),
        unchecked=frozenset({OURS, ADAM, SKLEARN}),
        **options,
    )
    row.keep("batches of one row", single)
    row.add(
        "batches of one row: time / scikit-learn's", single.ratio(OURS, SKLEARN), 1.0, sense="<"
    )
    counts, fits = text(size)
    sparse = compare(fits, unchecked=frozenset(fits), **options)
    row.keep("batches of one row, CSR", sparse)
    row.add(
        f"CSR, {counts.name}, {TEXT_EPOCHS} epochs of one row: time / scikit-learn's",
        sparse.ratio(OURS, SKLEARN), 1.0, sense="<",
    )  # fmt: skip
    for n_outputs, what in ((1, "logistic"), (n_classes, f"softmax, {n_classes} classes")):
        found = compare(
            batches(size, n_outputs),
            error=lambda a, b: relative_error([a], [b]),
            tolerance=1e-8,
            **options,
        )
        row.keep(f"Adam, {what}", found)
        if TORCH in found.timings:
            target = 20.0 if n_outputs == 1 else None
            ratio = found.ratio(TORCH, OURS)
            row.add(f"{what}: time of a PyTorch loop / ours", ratio, target, sense=">=")
        if CUPY in found.timings:
            row.add(f"{what}: time on CuPy / on Numba", found.ratio(CUPY, OURS))
        if OPTAX in found.timings:
            row.add(f"{what}: time / optax's scan", found.ratio(OURS, OPTAX), 1.0)
            row.add(f"{what}: time on JAX / optax's scan", found.ratio(JAX, OPTAX))
    return row.as_dict()
