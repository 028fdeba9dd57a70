"""What callbacks can see of a fit: its parameters, its begin and its end; the progress bar."""

from __future__ import annotations

import copy
import io
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sgd_data import binary, numeric, quietly, three_classes
from sklearn.base import clone

from xpfit import (
    DescentPath,
    HuberRegressor,
    LinearRegression,
    LogisticRegression,
    MLPClassifier,
    ProgressBar,
    Ridge,
    SGDClassifier,
    SGDRegressor,
)
from xpfit.core.solvers.result import History

SHORT = {"max_iter": 4, "tol": None, "random_state": 0, "learning_rate": "constant"}


@pytest.mark.parametrize(("model", "first"), [
    (LogisticRegression(max_iter=3), 0),
    (LogisticRegression(solver="gd", max_iter=3), 0),
    (MLPClassifier((4,), solver="lbfgs", max_iter=3), 0),
    (LogisticRegression(solver="sgd", max_iter=3), 1),
    (SGDClassifier(**{**SHORT, "max_iter": 3}), 1),
    (MLPClassifier((4,), max_iter=3, tol=None), 1),
], ids=str)  # fmt: skip
def test_iteration_0_is_the_start_and_epochs_count_from_1(
    model: Any, first: int, tmp_path: Path
) -> None:
    seen: list[int] = []
    told = {"callbacks": lambda record: seen.append(record.iteration)}
    model = quietly(clone(model).set_params(**told), *binary())
    assert seen == list(range(first, 4))
    assert [record.iteration for record in model.result_.history] == seen
    if first == 1 and hasattr(model, "checkpoint"):
        seen.clear()
        kept = {"checkpoint": tmp_path / "fit.ckpt", "resume": True}
        quietly(clone(model).set_params(**kept, max_iter=2), *binary())
        model = quietly(clone(model).set_params(**kept), *binary())
        assert seen == [1, 2, 3]
        assert [record.iteration for record in model.result_.history] == [1, 2, 3]


@pytest.mark.parametrize("backend", ["numpy", "numba", "jax"])
@pytest.mark.parametrize("model", [
    LogisticRegression(solver="lbfgs"), LogisticRegression(solver="newton", standardize=True),
    SGDClassifier(batch_size=50, **SHORT), SGDClassifier(batch_size=200, average=True, **SHORT),
    LogisticRegression(l1_ratio=1.0, C=0.1), LogisticRegression(l1_ratio=1.0, C=0.1, solver="saga"),
], ids=["lbfgs", "newton", "sgd", "average", "proximal-newton", "l1 by name"])  # fmt: skip
@pytest.mark.parametrize("data", [binary, three_classes])
def test_a_path_ends_at_the_model(data: Any, model: Any, backend: str) -> None:
    if backend == "jax":
        pytest.importorskip("jax", reason="jax is not installed")
    path = DescentPath()
    X, y = data()
    model = clone(model).set_params(backend=backend, callbacks=path)
    quietly(model, X, y)
    W, b = path.coef_[-1].T, path.intercept_[-1]
    if model.coef_.shape[0] > 1 and isinstance(model, LogisticRegression) and not model.l1_ratio:
        W, b = W - W.mean(axis=0), b - b.mean()
    np.testing.assert_allclose(W, model.coef_, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(b, model.intercept_, rtol=1e-12, atol=1e-12)
    assert len(path) == model.n_iter_ + 1
    assert not path.coef_[0].any()
    np.testing.assert_array_equal(path.cost_[-1], model.loss_history_[-1])


def test_paths_of_regressors_and_of_several_targets() -> None:
    X, y = numeric()
    for model in (LinearRegression(), Ridge(solver="lbfgs"), HuberRegressor()):
        path = DescentPath()
        quietly(model.set_params(callbacks=path), X, y)
        np.testing.assert_allclose(path.coef_[-1][:, 0], model.coef_, rtol=1e-12)
    path = DescentPath()
    LinearRegression(callbacks=path).fit(X, np.stack([y, 2 * y], axis=1))
    assert path.coef_.shape[1:] == (X.shape[1], 2)


def test_a_path_goes_on_or_begins_anew() -> None:
    X, y = binary()
    path = DescentPath()
    model = SGDClassifier(callbacks=path, **SHORT)
    model.partial_fit(X, y, classes=[0, 1]).partial_fit(X, y)
    assert len(path) == 3
    quietly(model, X, y)
    assert len(path) == 5
    some = DescentPath(every=2)
    quietly(SGDClassifier(callbacks=some, **SHORT), X, y)
    np.testing.assert_array_equal(some.coef_, path.coef_[::2])
    with pytest.raises(ValueError, match="at least 1"):
        DescentPath(every=0)
    assert len(copy.deepcopy(path)) == 5


def test_coefficients_are_there_only_inside_the_callback() -> None:
    kept: list[Any] = []
    LogisticRegression(callbacks=kept.append).fit(*binary())
    with pytest.raises(RuntimeError, match="only inside the callback"):
        kept[-1].coefficients()
    assert len(kept[-1]) == 5
    assert pickle.loads(pickle.dumps(kept)) == kept  # a model with its callbacks can be kept


def test_a_solver_may_keep_its_coefficients_to_itself() -> None:
    with pytest.raises(RuntimeError, match="does not tell"):
        History([lambda record: record.coefficients()]).add(1.0, 0.0, 1)


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_bar_is_quiet_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    LogisticRegression(callbacks=ProgressBar()).fit(*binary())
    assert stream.getvalue() == ""
    watched = Tty()
    monkeypatch.setattr(sys, "stderr", watched)
    LogisticRegression(callbacks=ProgressBar(enabled=False)).fit(*binary())
    assert watched.getvalue() == ""
    LogisticRegression(callbacks=ProgressBar()).fit(*binary())
    assert "LogisticRegression: iteration" in watched.getvalue()


def test_the_bar_leaves_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    bar = ProgressBar(enabled=True)
    model = quietly(SGDRegressor(callbacks=[bar], **SHORT), *numeric())
    last = stream.getvalue().strip().splitlines()[-1]
    assert last.startswith(f"SGDRegressor: epoch 4, cost {model.loss_history_[-1]:.6g}, ")
    assert last.endswith(" s")
    clone(model)
    pickle.dumps(bar)
    with pytest.raises(ValueError, match="refresh_per_second"):
        ProgressBar(refresh_per_second=0)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
@pytest.mark.parametrize("cls", [LogisticRegression, SGDClassifier])
def test_the_bar_ends_with_the_fit(
    cls: Any, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", Tty())
    bar = ProgressBar()

    def fails(record: Any) -> None:
        assert bar._shown is not None
        assert bar._shown._progress.live.is_started
        shown.append(bar._shown)
        if record.iteration == 2:
            raise error

    shown: list[Any] = []
    with pytest.raises(error):
        cls(callbacks=[bar, fails]).fit(*binary())
    assert bar._shown is None
    assert not shown[-1]._progress.live.is_started
    # Refused data end it, too.
    X, y = binary()
    X = X.copy()
    X[0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        cls(callbacks=bar).fit(X, y)
    assert bar._shown is None
