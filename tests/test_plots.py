"""Pictures of a fit: what is drawn, where, and which input is refused."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from typing import Any

import numpy as np
import pytest
from sgd_data import binary, numeric, quietly, three_classes
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from xpfit import (
    DescentPath,
    LinearRegression,
    LogisticRegression,
    MLPRegressor,
    PoissonRegressor,
    Ridge,
    SGDClassifier,
    SGDRegressor,
    plots,
)
from xpfit.core.optimizers import Adam
from xpfit.core.schedules import Cosine

figure = pytest.importorskip("matplotlib.figure", reason="matplotlib is not installed")
STEPS = {"learning_rate": "constant", "batch_size": 32, "random_state": 0, "tol": None}


def new_axes() -> Any:
    return figure.Figure().subplots()


def texts(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_cost_curves_are_the_histories() -> None:
    X, y = binary()
    sgd = quietly(SGDClassifier(early_stopping=True, max_iter=8, **STEPS), X, y)
    newton = LogisticRegression().fit(X, y)
    given = new_axes()
    axes = plots.plot_cost(sgd, newton, labels=["sgd", "_newton"], ax=given)
    assert axes is given
    assert len(axes.lines) == 3
    training, validation, second = axes.lines
    np.testing.assert_array_equal(training.get_ydata(), sgd.loss_history_)
    np.testing.assert_array_equal(training.get_xdata(), np.arange(1, 9))
    np.testing.assert_array_equal(validation.get_ydata(), sgd.validation_loss_history_)
    np.testing.assert_array_equal(second.get_ydata(), newton.loss_history_)
    assert second.get_xdata()[0] == 0
    assert texts(axes) == ["sgd, training", "sgd, validation", " _newton"]
    assert axes.get_xlabel() == "epoch or iteration"
    assert "cost" in axes.get_ylabel()
    assert axes.get_yscale() == "linear"
    # Costs from 0.69 to 0.04.
    assert plots.plot_cost(LogisticRegression(C=100.0).fit(X, y)).get_yscale() == "log"


def test_models_of_one_class_are_numbered() -> None:
    X, y = binary()
    ridge, first, second = Ridge().fit(X, y), LogisticRegression(), LogisticRegression(C=0.1)
    axes = plots.plot_cost(first.fit(X, y), ridge, second.fit(X, y))
    assert texts(axes) == ["LogisticRegression 1", "Ridge", "LogisticRegression 2"]


def test_rates_that_all_diverge_are_all_named() -> None:
    X, y = numeric()
    axes = plots.plot_learning_rates(SGDRegressor(max_iter=6, **STEPS), X, y, [1e4, 1e200])
    assert [": diverged at step" in text for text in texts(axes)] == [True, True]
    axes.figure.canvas.draw()


def test_drawing_changes_nothing_global() -> None:
    code = (
        "import sys\n"
        "from xpfit import LogisticRegression, plots\n"
        "import matplotlib\n"
        "before = matplotlib.rcParams.copy()  # reading it would load pyplot\n"
        "model = LogisticRegression().fit([[0.0], [1.0], [2.0]], [0, 1, 1])\n"
        "plots.plot_cost(model).figure.savefig('cost.png')\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "assert matplotlib.rcParams.copy() == before\n"
    )
    command = [sys.executable, "-P", "-c", code]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(command, check=True, cwd=folder)


def test_cost_of_pipelines_and_of_what_has_none() -> None:
    X, y = binary()
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    assert len(plots.plot_cost(pipeline).lines) == 1
    with pytest.raises(ValueError, match="no model was given"):
        plots.plot_cost()
    with pytest.raises(ValueError, match="2 labels"):
        plots.plot_cost(pipeline, labels=["a", "b"])
    with pytest.raises(NotFittedError):
        plots.plot_cost(LogisticRegression())
    with pytest.raises(TypeError, match="keeps no loss_history_"):
        plots.plot_cost(StandardScaler().fit(X))
    with pytest.raises(TypeError, match="one matplotlib Axes"):
        plots.plot_cost(pipeline, ax=np.array([new_axes()]))


def test_a_network_that_diverges_is_named_with_its_step_not_its_rows() -> None:
    X, y = numeric()
    model = MLPRegressor(
        hidden_layer_sizes=(4,), solver="sgd", learning_rate_init=1e3, batch_size=20, alpha=0.0,
        random_state=0,
    )  # fmt: skip
    with pytest.raises(ArithmeticError, match=r"at step (\d+),") as caught:
        model.fit(X, y)
    step = str(caught.value).partition("at step ")[2].partition(",")[0]
    assert texts(plots.plot_cost(model, labels=["x"])) == [f"x (diverged at step {step})"]


def test_a_rate_that_diverges_is_named_with_its_step() -> None:
    X, y = numeric()
    model = SGDRegressor(max_iter=6, **STEPS)
    axes = plots.plot_learning_rates(model, X, y, [0.01, 0.6, 1e4], ax=new_axes())
    assert len(axes.lines) == 3
    first = quietly(SGDRegressor(max_iter=6, eta0=0.01, **STEPS), X, y)
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), first.loss_history_)
    good, grew, diverged = texts(axes)
    assert good == "0.01"
    assert grew.startswith("0.6: cost grew to")
    assert diverged.startswith("10000: diverged at step ")
    broken = SGDRegressor(max_iter=6, eta0=1e4, **STEPS)
    with pytest.raises(ArithmeticError, match=f"at step {diverged.rsplit(' ', 1)[1]},"):
        broken.fit(X, y)
    assert "diverged at step" in texts(plots.plot_cost(broken, labels=["x"]))[0]
    assert axes.get_ylim()[1] < 10.0 * first.loss_history_[0]
    assert axes.get_legend().get_title().get_text() == "learning rate"
    assert not hasattr(model, "coef_")
    assert model.eta0 == 0.01


def test_rates_reach_optimizers_and_pipelines_or_are_refused() -> None:
    X, y = numeric()
    adam = SGDRegressor(optimizer=Adam(0.5), max_iter=3, random_state=0, tol=None)
    axes = plots.plot_learning_rates(adam, X, y, [0.001, 0.1])
    assert not np.allclose(axes.lines[0].get_ydata(), axes.lines[1].get_ydata())
    whole = make_pipeline(StandardScaler(), SGDRegressor(max_iter=3, **STEPS))
    assert len(plots.plot_learning_rates(whole, X, y, [0.001]).lines) == 1
    for rates in ([], [0.1, -1.0], [np.nan]):
        with pytest.raises(ValueError, match="positive numbers"):
            plots.plot_learning_rates(adam, X, y, rates)
    with pytest.raises(ValueError, match="no learning rate"):
        plots.plot_learning_rates(Ridge(), X, y, [0.1])
    with pytest.raises(ValueError, match="computes its rate from alpha"):
        plots.plot_learning_rates(SGDClassifier(), X, y > 0, [0.1])
    with pytest.raises(ValueError, match="brings its own rate"):
        plots.plot_learning_rates(SGDRegressor(schedule=Cosine(0.1, 5)), X, y, [0.1])


@pytest.mark.parametrize("backend", ["numpy", "numba", "jax"])
def test_the_boundary_of_models_fitted_anywhere(backend: str) -> None:
    if backend == "jax":
        pytest.importorskip("jax", reason="jax is not installed")
    X, y = three_classes()
    X = X[:, 2:]
    model = LogisticRegression(backend=backend).fit(X, y)
    given = new_axes()
    axes = plots.plot_decision_boundary(model, X, y, ax=given, resolution=40)
    assert axes is given
    assert texts(axes) == ["0", "1", "2", "misclassified"]
    wrong = axes.collections[-1].get_offsets()
    np.testing.assert_array_equal(wrong, X[model.predict(X) != y])
    np.testing.assert_array_equal(axes.collections[-2].get_offsets(), X[y == 2])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("column 0", "column 1")
    shown = axes.collections[0].get_array().reshape(40, 40)
    side_x, side_y = (np.linspace(*limits, 40) for limits in (axes.get_xlim(), axes.get_ylim()))
    grid = np.stack([a.ravel() for a in np.meshgrid(side_x, side_y)], axis=1)
    np.testing.assert_array_equal(shown.ravel(), model.predict(grid))


def test_the_boundary_takes_device_arrays_frames_text_and_thresholds() -> None:
    X, y = binary()
    X = X[:, :2]
    jnp = pytest.importorskip("jax.numpy", reason="jax is not installed")
    model = LogisticRegression().fit(jnp.asarray(X), jnp.asarray(y))
    axes = plots.plot_decision_boundary(model, jnp.asarray(X), jnp.asarray(y), resolution=20)
    assert texts(axes)[:2] == ["0", "1"]
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame, names = pandas.DataFrame(X, columns=["a", "b$"]), np.array(["no", "yes"])[y]
    tuned = FixedThresholdClassifier(LogisticRegression(), threshold=0.9).fit(frame, names)
    axes = plots.plot_decision_boundary(tuned, frame, names, resolution=20)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("a", r"b\$")
    assert texts(axes)[:2] == ["no", "yes"]
    share = axes.collections[0].get_array().mean()
    plain = plots.plot_decision_boundary(tuned.estimator_, frame, names, resolution=20)
    assert share < plain.collections[0].get_array().mean()


def test_the_boundary_refuses_what_is_no_plane() -> None:
    X, y = binary()
    model = LogisticRegression().fit(X[:, :2], y)
    with pytest.raises(ValueError, match="two columns"):
        plots.plot_decision_boundary(model, X, y)
    with pytest.raises(NotFittedError):
        plots.plot_decision_boundary(LogisticRegression(), X[:, :2], y)
    with pytest.raises(TypeError, match="pass a classifier"):
        plots.plot_decision_boundary(LinearRegression().fit(X[:, :2], y), X[:, :2], y)
    with pytest.raises(ValueError, match="not among the model's classes"):
        plots.plot_decision_boundary(model, X[:, :2], y + 5)
    with pytest.raises(ValueError, match="rows"):
        plots.plot_decision_boundary(model, X[:, :2], y[1:])
    with pytest.raises(ValueError, match="resolution"):
        plots.plot_decision_boundary(model, X[:, :2], y, resolution=1)


def surface_cases() -> list[Any]:
    X, y = binary()
    few, (Z, t) = {"C": 0.1, "class_weight": {0: 2.0, 1: 0.5}}, numeric()
    sgd = {"max_iter": 4, **STEPS}
    return [
        (LogisticRegression(**few), X, y), (LogisticRegression(standardize=True, **few), X * 3, y),
        (LogisticRegression(C=np.inf), X[:, :3], y), (Ridge(alpha=3.0), Z, t),
        (LinearRegression(), Z, t), (PoissonRegressor(alpha=0.1), X, y + 1.0),
        (SGDClassifier("squared_hinge", alpha=0.5, **sgd), X, y), (SGDRegressor("huber"), Z, t),
    ]  # fmt: skip


@pytest.mark.parametrize(("model", "X", "y"), surface_cases(), ids=lambda v: type(v).__name__)
def test_the_surface_is_the_cost_that_the_fit_lowered(model: Any, X: Any, y: Any) -> None:
    from xpfit.estimators._cost import coefficients_of, cost_of

    weight = np.random.default_rng(0).uniform(0.5, 2.0, len(y))
    path = DescentPath()
    model.set_params(callbacks=path)
    quietly(model, X, y, sample_weight=weight)
    cost = cost_of(model, X, y, weight, who="test")
    coef, intercept = coefficients_of(model)
    here = cost.at(coef[None, :], np.array([intercept]))[0]
    if not isinstance(model, SGDClassifier | SGDRegressor):
        np.testing.assert_allclose(here, model.loss_history_[-1], rtol=1e-10)
        np.testing.assert_allclose(
            cost.at(path.coef_[:, :, 0], path.intercept_[:, 0]), path.cost_, rtol=1e-9
        )
    axes = plots.plot_loss_surface(
        model, X, y, ax=new_axes(), features=(0, "intercept"), sample_weight=weight, path=path,
        resolution=15,
    )  # fmt: skip
    trail = axes.lines[0]
    np.testing.assert_array_equal(trail.get_xdata(), path.coef_[:, 0, 0])
    np.testing.assert_array_equal(trail.get_ydata(), path.intercept_[:, 0])
    assert texts(axes) == ["descent", "start", "fitted"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("coefficient of x0", "intercept")


def test_the_surface_chooses_two_parameters_or_asks() -> None:
    X, y = binary()
    two = LogisticRegression().fit(X[:, :2], y)
    axes = plots.plot_loss_surface(
        two, X[:, :2], y, resolution=10, limits=((-9.0, 1.0), (-8.0, 2.0))
    )
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("coefficient of x0", "coefficient of x1")
    assert axes.get_xlim() == (-9.0, 1.0)
    assert axes.get_ylim() == (-8.0, 2.0)
    assert texts(axes) == ["fitted"]
    model = LogisticRegression().fit(X, y)
    for features, text in [
        (None, "Say which two"), ((0, 0), "twice"), ((0, 99), "no column 99"), ("ab", "a pair"),
        ((0, "radius"), "no column 'radius'"),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=text):
            plots.plot_loss_surface(model, X, y, features=features)
    free = LogisticRegression(fit_intercept=False).fit(X, y)
    with pytest.raises(ValueError, match="no intercept"):
        plots.plot_loss_surface(free, X, y, features=(0, "intercept"))
    with pytest.raises(ValueError, match="limits must be"):
        plots.plot_loss_surface(model, X, y, features=(0, 1), limits=((1, 0), (0, 1)))
    with pytest.raises(ValueError, match="the path is empty"):
        plots.plot_loss_surface(model, X, y, features=(0, 1), path=DescentPath())
    path = DescentPath()
    LogisticRegression(callbacks=path).fit(X[:, :2], y)
    with pytest.raises(ValueError, match="Pass the path of this model"):
        plots.plot_loss_surface(model, X, y, features=(0, 1), path=path)
    with pytest.raises(NotFittedError):
        plots.plot_loss_surface(LogisticRegression(), X, y)
    softmax = LogisticRegression().fit(*three_classes())
    with pytest.raises(ValueError, match="3 outputs"):
        plots.plot_loss_surface(softmax, *three_classes())
    with pytest.raises(TypeError, match="cannot be written down"):
        plots.plot_loss_surface(StandardScaler().fit(X), X, y)
