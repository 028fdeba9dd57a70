"""`LogisticRegression` by gradient descent and by mini-batches: what keeps its meaning."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from sgd_data import binary, quietly, three_classes
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

from xpfit import LogisticRegression, get_backend
from xpfit.core.epoch_options import EpochOptions
from xpfit.core.epochs import DivergenceError
from xpfit.core.fit_minibatch import fit_by_epochs
from xpfit.core.learning_rates import full_batch_rate, mini_batch_rate, steepest_curvature
from xpfit.core.losses import HALF_BINOMIAL, HALF_MULTINOMIAL, HALF_POISSON, HALF_SQUARED_ERROR
from xpfit.core.objective import LinearObjective
from xpfit.core.optimizers import SGD
from xpfit.core.solvers.descent import minimize_descent
from xpfit.estimators import load

NUMPY = get_backend("numpy")
BATCHES = ["sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw"]
WEIGHTS = "a row of weight 0 still takes its turn in a shuffled epoch, as in scikit-learn's sag"
NOT_MET = {
    "check_sample_weight_equivalence_on_dense_data": WEIGHTS,
    "check_sample_weight_equivalence_on_sparse_data": WEIGHTS,
}


@parametrize_with_checks(
    [
        LogisticRegression(solver="gd"),
        LogisticRegression(solver="adam"),  # most of the checks have fewer rows than a batch
        LogisticRegression(solver="adam", solver_options={"batch_size": 4}, random_state=0),
    ],
    expected_failed_checks=lambda estimator: NOT_MET if estimator.solver_options else {},
)
def test_check_estimator(estimator: Any, check: Any) -> None:
    with warnings.catch_warnings():
        for category in (ConvergenceWarning, UserWarning, FutureWarning, DeprecationWarning):
            warnings.simplefilter("ignore", category)
        check(estimator)


@pytest.mark.parametrize("backend", ["numpy", "numba", "jax"])
@pytest.mark.parametrize("loader", [load_breast_cancer, load_wine], ids=["binary", "multinomial"])
def test_gradient_descent_comes_to_the_optimum(loader: Any, backend: str) -> None:
    X, y = loader(return_X_y=True)
    options = {"C": 0.02, "class_weight": "balanced", "standardize": True}
    weight = np.random.default_rng(0).uniform(0.5, 2.0, size=len(y))
    optimum = LogisticRegression(tol=1e-11, **options).fit(X, y, weight)
    model = LogisticRegression(
        solver="gd", tol=1e-9, max_iter=5000, backend=backend, **options
    ).fit(X, y, weight)  # fmt: skip
    size = np.abs(optimum.coef_).max()
    np.testing.assert_allclose(model.coef_, optimum.coef_, rtol=0, atol=1e-6 * size)
    np.testing.assert_allclose(model.intercept_, optimum.intercept_, rtol=1e-6, atol=1e-6)
    assert (model.solver_, model.stop_reason_) == ("gd", "gradient_norm <= tol")
    assert model.gradient_norm_ <= 1e-9
    assert len(model.loss_history_) == model.n_iter_[0] + 1
    # With 1 / L no step goes uphill, beyond the rounding of the cost.
    assert (np.diff(model.loss_history_) <= 1e-15).all()
    assert model.loss_history_[-1] == pytest.approx(optimum.loss_history_[-1], rel=1e-12)


@pytest.mark.parametrize("solver", BATCHES)
@pytest.mark.parametrize("data", [binary, three_classes])
def test_every_optimizer_comes_near_it(data: Any, solver: str) -> None:
    X, y = data()
    options = {"C": 0.1, "class_weight": "balanced"}
    optimum = LogisticRegression(tol=1e-10, **options).fit(X, y)
    model = LogisticRegression(solver=solver, random_state=0, max_iter=200, **options)
    quietly(model, X, y)
    assert model.loss_history_[-1] == pytest.approx(optimum.loss_history_[-1], rel=2e-2)
    assert model.solver_ == solver
    assert len(model.loss_history_) == model.n_iter_[0]
    # Two an epoch, and those by which the end is judged.
    assert 0 <= model.n_passes_ - 2 * model.n_iter_[0] <= 21
    # The last record is of the whole cost, at the coefficients that were kept.
    again = LogisticRegression(warm_start=True, max_iter=0, solver="lbfgs", **options)
    again.coef_, again.intercept_ = model.coef_, model.intercept_
    quietly(again, X, y)
    # Centring the classes lowers the penalty a little where an optimizer is not linear.
    rel = 1e-10 if data is binary else 1e-5
    assert again.loss_history_[0] == pytest.approx(model.loss_history_[-1], rel=rel)
    assert again.loss_history_[0] <= model.loss_history_[-1] * (1.0 + 1e-12)
    if data is binary:
        assert again.gradient_norm_ == pytest.approx(model.gradient_norm_, rel=1e-6)


def test_one_seed_is_one_model_on_every_backend() -> None:
    X, y = three_classes()
    options = {"solver": "nesterov", "max_iter": 5, "random_state": 3}
    models = [
        quietly(LogisticRegression(backend=name, **options), X, y)
        for name in ("numpy", "numba", "jax")
    ]
    for model in models[1:]:
        np.testing.assert_allclose(model.coef_, models[0].coef_, rtol=1e-9)
        np.testing.assert_allclose(model.loss_history_, models[0].loss_history_, rtol=1e-9)
        assert model.gradient_norm_ == pytest.approx(models[0].gradient_norm_, rel=1e-8)


def test_tol_bounds_the_gradient_and_its_lack_warns() -> None:
    X, y = binary()
    options = {"solver": "momentum", "random_state": 0, "C": 0.1}
    model = LogisticRegression(tol=1e-2, **options).fit(X, y)
    assert (model.stop_reason_, model.result_.converged) == ("gradient_norm <= tol", True)
    assert model.gradient_norm_ <= 1e-2
    assert model.n_iter_[0] < 100
    for solver in ("momentum", "gd"):
        with pytest.warns(ConvergenceWarning, match=r"gradient_norm is .* Raise max_iter"):
            LogisticRegression(**{**options, "solver": solver}, max_iter=2).fit(X, y)


def test_a_warm_start_begins_at_the_coefficients() -> None:
    X, y = binary()
    sparse = scipy.sparse.csr_matrix(np.where(np.abs(X) > 0.5, X, 0.0))
    for solver, options in (("gd", {}), ("sgd", {"schedule": "constant"})):
        for data in (X, sparse):
            model = LogisticRegression(
                solver=solver, warm_start=True, max_iter=3, random_state=0, solver_options=options
            )
            first = quietly(model, data, y).loss_history_[-1]
            quietly(model, data, y)
            assert model.loss_history_[-1] < first
            if solver == "gd":
                assert model.loss_history_[0] == pytest.approx(first, rel=1e-12)


def test_all_rows_by_any_name_is_one_step_an_iteration() -> None:
    X, y = binary()
    whole = {"schedule": "constant", "learning_rate": 0.1}
    gd = quietly(LogisticRegression(solver="gd", solver_options=whole, max_iter=20), X, y)
    sgd = LogisticRegression(
        solver="sgd", max_iter=20, standardize=True, solver_options={**whole, "batch_size": 10_000}
    )
    quietly(sgd, X, y)
    np.testing.assert_allclose(sgd.coef_, gd.coef_, rtol=1e-9)
    assert gd.n_passes_ == 21


def test_clipping_and_momentum_reach_the_step() -> None:
    X, y = binary()
    first = {"solver": "gd", "max_iter": 1, "fit_intercept": False}
    options = {"learning_rate": 1.0, "max_norm": 0.25}
    model = quietly(LogisticRegression(solver_options=options, **first), X, y)
    assert np.linalg.norm(model.coef_) == pytest.approx(0.25, rel=1e-5)
    slow = quietly(LogisticRegression(solver="gd", max_iter=50), X, y)
    fast = LogisticRegression(solver="gd", max_iter=50, solver_options={"momentum": 0.8})
    assert quietly(fast, X, y).loss_history_[-1] < slow.loss_history_[-1]


@pytest.mark.parametrize(("solver", "batch"), [("gd", {}), ("sgd", {"batch_size": 8})])
def test_divergence_keeps_the_best_and_says_so(solver: str, batch: dict[str, int]) -> None:
    X, y = binary()
    options = {"learning_rate": 1e200, "schedule": "constant", **batch}
    model = LogisticRegression(solver=solver, solver_options=options, C=1e-3, random_state=0)
    with (
        np.errstate(over="ignore", invalid="ignore"),
        pytest.raises(DivergenceError, match=r"learning rate was 1e\+200\. Lower"),
    ):
        model.fit(X, y)
    assert model.stop_reason_ == "diverged"
    assert np.isfinite(model.coef_).all()


def test_callbacks_see_epochs_and_may_end_them() -> None:
    X, y = binary()
    seen: list[Any] = []

    def stop(record: Any) -> bool:
        seen.append((record.gradient_norm, record.coefficients()[0].shape))
        return len(seen) == 3

    model = LogisticRegression(solver="adam", callbacks=stop, random_state=0).fit(X, y)
    assert (model.n_iter_[0], model.stop_reason_) == (3, "stopped by callback")
    assert all(norm > 0.0 and shape == (30, 1) for norm, shape in seen)


def test_it_is_saved_with_its_options(tmp_path: Any) -> None:
    X, y = binary()
    model = LogisticRegression(solver="adam", solver_options={"beta1": 0.8}, random_state=0)
    quietly(model, X, y).save(tmp_path / "model.safetensors")
    loaded = load(tmp_path / "model.safetensors")
    assert loaded.solver_options == {"beta1": 0.8}
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize(
    ("params", "error", "text"),
    [
        ({"solver_options": {"beta1": 0.5}}, ValueError, "They are for solver='gd', 'sgd'"),
        (
            {"solver": "sgd", "solver_options": {"lr": 0.1}}, ValueError,
            "'lr', which this solver does not know. Its options are: learning_rate, schedule",
        ),
        ({"solver": "gd", "solver_options": {"batch_size": 3}}, ValueError, "does not know"),
        ({"solver": "adam", "solver_options": {"momentum": 0.9}}, ValueError, "beta1, beta2"),
        ({"solver": "adam", "solver_options": {"beta1": 1.5}}, ValueError, "beta1 must be"),
        ({"solver": "sgd", "solver_options": {"batch_size": 0}}, ValueError, "a whole number > 0"),
        ({"solver": "sgd", "solver_options": {"learning_rate": -1}}, ValueError, "a number > 0"),
        ({"solver": "sgd", "solver_options": {"max_norm": "a"}}, ValueError, "a number > 0"),
        ({"solver": "sgd", "solver_options": {"schedule": "cosinus"}}, ValueError, "cosine"),
        ({"solver": "sgd", "solver_options": {"schedule": 3}}, TypeError, "name of a schedule"),
        (
            {"solver": "sgd", "solver_options": {"schedule": abs, "learning_rate": 0.1}},
            ValueError, "Set it in the schedule",
        ),
        ({"solver": "adam", "standardize": True}, ValueError, "StandardScaler"),
        ({"solver": "gd", "l1_ratio": 0.5}, ValueError, "this solver is for smooth costs"),
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_is_refused(params: Any, error: type[Exception], text: str) -> None:
    X, y = binary()
    with pytest.raises(error, match=text):
        LogisticRegression(**params).fit(X, y)


def test_not_a_number_in_x_is_named() -> None:
    X, y = binary()
    X[3, 4] = np.nan
    for solver in ("gd", "adam"):
        with pytest.raises(ValueError, match="NaN \\(in column 4\\)"):
            LogisticRegression(solver=solver).fit(X, y)


def test_rates_are_below_what_the_hessian_allows() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 5)) * [1.0, 2.0, 0.1, 5.0, 1.0]
    weight, ones = rng.uniform(size=60), np.ones((60, 1))
    for loss, y, K in (
        (HALF_BINOMIAL, rng.integers(0, 2, 60).astype(float), 1),
        (HALF_MULTINOMIAL, rng.integers(0, 4, 60), 4),
        (HALF_SQUARED_ERROR, rng.normal(size=60), 1),
    ):
        objective = LinearObjective(X, y, weight, loss, NUMPY, K, 0.0)
        whole = np.hstack([X, ones])
        largest = np.linalg.eigvalsh((whole * weight[:, None]).T @ whole / weight.sum())[-1]
        bend = steepest_curvature(loss)
        rate = full_batch_rate(objective)
        assert 0.5 < rate * bend * largest <= 1.0
        assert mini_batch_rate(X, weight, loss, NUMPY) <= rate
    with pytest.raises(ValueError, match="Give a learning rate"):
        steepest_curvature(HALF_POISSON)


def test_core_refuses_what_it_cannot_do() -> None:
    X, y = np.ones((4, 1)), np.array([0.0, 1.0, 0.0, 1.0])
    objective = LinearObjective(X, y, None, HALF_BINOMIAL, NUMPY)
    ahead = SGD(0.1, momentum=0.9, nesterov="lookahead")
    with pytest.raises(ValueError, match="Use nesterov=True"):
        minimize_descent(objective, np.zeros(2), ahead, max_iter=1, tol=0.0)
    with pytest.raises(ValueError, match="Leave one of them out"):
        fit_by_epochs(
            X, y, loss=HALF_BINOMIAL, backend=NUMPY, optimizer=SGD(0.1),
            options=EpochOptions(gradient_tol=1e-3), rng=np.random.default_rng(0),
            held_out=np.array([0]),
        )  # fmt: skip
