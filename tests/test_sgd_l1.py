"""Mini-batch descent with an L1 penalty: one model on every backend, zeros, the right optimum."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from sgd_data import binary, numeric, quietly, three_classes

from xpfit import ElasticNet, Lasso, LogisticRegression, SGDClassifier, SGDRegressor
from xpfit.backends import Backend, get_backend
from xpfit.core.losses import HALF_BINOMIAL, HALF_MULTINOMIAL
from xpfit.core.minibatch import begin, minibatch_epoch, plan_epoch
from xpfit.core.optimizers import SGD, Adam, Optimizer, RMSProp, apply_updates
from xpfit.core.passes import loss_gradient
from xpfit.core.schedules import Cosine
from xpfit.estimators import ModelFileError

NUMPY = get_backend("numpy")
FAST: dict[str, Any] = {"batch_size": 16, "random_state": 3, "learning_rate": "constant"}


@pytest.mark.parametrize("batch_size", [1, 8, 53])
@pytest.mark.parametrize(
    ("optimizer", "further"),
    [
        (SGD(Cosine(0.2, period=5)), 1.0), (SGD(0.1, momentum=0.75), 4.0),
        (SGD(0.1, momentum=0.75, momentum_form="average"), 1.0),
        (SGD(0.1, momentum=0.75, nesterov=True), 4.0), (Adam(0.05), 1.0),
        (RMSProp(0.01, momentum=0.5), 2.0),
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("loss", [HALF_BINOMIAL, HALF_MULTINOMIAL], ids=lambda loss: loss.name)
def test_each_step_ends_with_the_proximal_step(
    backend: Backend, loss: Any, optimizer: Optimizer, further: float, batch_size: int
) -> None:
    rng = np.random.default_rng(batch_size)
    X, K = rng.normal(size=(53, 4)), 3 if loss.is_multiclass else 1
    y = rng.integers(0, 3, 53) if loss.is_multiclass else rng.integers(0, 2, 53).astype(float)
    l1, order, theta = 0.08, rng.permutation(53), np.full((5, K), 0.02)
    here = backend.from_numpy
    plan = plan_epoch(optimizer, 53, batch_size, l1_reg_strength=l1)
    found, _ = minibatch_epoch(
        here(X), here(y), None, order, begin(optimizer, here(theta)), plan, loss, backend=backend
    )
    state = optimizer.init(theta)
    for t, first in enumerate(range(0, 53, batch_size)):
        rows = order[first : first + batch_size]
        sums = loss_gradient(X[rows], y[rows], None, theta[:4], theta[4], loss, backend=NUMPY)
        gradient = np.vstack([sums.grad_W, sums.grad_b]) / len(rows)
        updates, state = optimizer.update(gradient, state, theta)
        theta = apply_updates(theta, updates)
        shrunk = l1 * further * float(optimizer.learning_rate_at(t))
        theta[:4] = np.sign(theta[:4]) * np.maximum(np.abs(theta[:4]) - shrunk, 0.0)
    np.testing.assert_allclose(backend.to_numpy(found.theta), theta, rtol=1e-9, atol=1e-12)
    if isinstance(optimizer, SGD):
        np.testing.assert_array_equal(backend.to_numpy(found.theta)[:4] == 0.0, theta[:4] == 0.0)


@pytest.mark.parametrize("penalty", ["l1", "elasticnet"])
@pytest.mark.parametrize("options", [
    {"momentum": 0.9}, {"batch_size": 1, "eta0": 0.003}, {"optimizer": "adam", "average": 20},
    {"batch_size": 10_000, "max_norm": 0.5},
], ids=str)  # fmt: skip
@pytest.mark.parametrize(
    ("cls", "data"),
    [(SGDClassifier, binary), (SGDClassifier, three_classes), (SGDRegressor, numeric)],
    ids=["binary", "softmax", "regression"],
)
def test_one_seed_is_one_sparse_model_on_every_backend(
    cls: Any, data: Any, options: dict[str, Any], penalty: str
) -> None:
    X, y = data()
    thinned = scipy.sparse.csr_matrix(np.where(np.abs(X) > 0.5, X, 0.0))
    given = {
        "penalty": penalty, "alpha": 0.05, "l1_ratio": 0.7, "max_iter": 5, "tol": None,
        **FAST, **options,
    }  # fmt: skip
    for table, names in ((X, ("numba", "jax")), (thinned, ("numba",))):
        first = quietly(cls(backend="numpy", **given), table, y)
        size = np.abs(first.coef_).max()
        for name in names:
            model = quietly(cls(backend=name, **given), table, y)
            for attribute in ("coef_", "intercept_", "loss_history_"):
                np.testing.assert_allclose(
                    getattr(model, attribute), getattr(first, attribute),
                    rtol=1e-8, atol=1e-8 * size,
                )  # fmt: skip


@pytest.mark.parametrize("backend", ["numpy", "numba", "jax"])
@pytest.mark.parametrize(
    "descent",
    [{}, {"momentum": 0.8}, {"momentum": 0.8, "nesterov": True}],
    ids=["plain", "momentum", "nesterov"],
)
def test_all_rows_in_a_step_come_to_the_optimum(backend: str, descent: Any) -> None:
    X, y = numeric()
    given = {
        "batch_size": len(y), "learning_rate": "constant", "eta0": 0.1, "max_iter": 3000,
        "tol": None, "backend": backend, **descent,
    }  # fmt: skip
    lasso = Lasso(alpha=0.1, tol=1e-10).fit(X, y)
    model = quietly(SGDRegressor(penalty="l1", alpha=0.1, **given), X, y)
    np.testing.assert_allclose(model.coef_, lasso.coef_, atol=1e-6)
    np.testing.assert_array_equal(model.coef_ == 0.0, lasso.coef_ == 0.0)
    assert (model.coef_ == 0.0).sum() >= 4
    net = ElasticNet(alpha=0.2, l1_ratio=0.4, tol=1e-10).fit(X, y)
    model = quietly(
        SGDRegressor(penalty="elasticnet", alpha=0.2, l1_ratio=0.4, **given), X, y
    )  # fmt: skip
    np.testing.assert_allclose(model.coef_, net.coef_, atol=1e-6)
    # The cost that is told holds both penalties.
    assert model.loss_history_[-1] == pytest.approx(net.loss_history_[-1], rel=1e-8)


@pytest.mark.parametrize("data", [binary, three_classes])
def test_a_decaying_rate_comes_near_the_optimum(data: Any) -> None:
    X, y = data()
    alpha, n = 0.02, len(y)
    optimum = LogisticRegression(C=1.0 / (n * alpha), l1_ratio=1.0, tol=1e-9, max_iter=1000)
    optimum.fit(X, y)
    for momentum, rate, share in ((0.0, 0.5, 0.0), (0.8, 0.1, 0.5)):
        model = SGDClassifier(
            penalty="l1", alpha=alpha, max_iter=200, tol=None, batch_size=64, random_state=0,
            schedule=Cosine(rate, period=200 * -(-n // 64), restarts=False), momentum=momentum,
        )  # fmt: skip
        quietly(model, X, y)
        assert model.loss_history_[-1] == pytest.approx(optimum.loss_history_[-1], rel=2e-2)
        assert (model.coef_ == 0.0).sum() > share * (optimum.coef_ == 0.0).sum()
        smooth = SGDClassifier(**{**model.get_params(), "penalty": "l2"})
        assert (quietly(smooth, X, y).coef_ != 0.0).all()


def test_a_lasting_penalty_leaves_the_intercept_alone() -> None:
    X, y = numeric()
    model = SGDRegressor(
        penalty="l1", alpha=10.0, eta0=0.1, learning_rate="constant", batch_size=len(y),
        max_iter=200, tol=None,
    )  # fmt: skip
    quietly(model, X, y + 5.0)
    assert (model.coef_ == 0.0).all()
    assert model.intercept_[0] == pytest.approx(5.0, rel=1e-6)


def test_shares_of_the_elastic_net() -> None:
    X, y = binary()
    given = {**FAST, "alpha": 0.03, "max_iter": 3, "tol": None}
    for share, name in ((0.0, "l2"), (1.0, "l1")):
        net = quietly(SGDClassifier(penalty="elasticnet", l1_ratio=share, **given), X, y)
        alone = quietly(SGDClassifier(penalty=name, **given), X, y)
        np.testing.assert_array_equal(net.coef_, alone.coef_)
    none = quietly(SGDClassifier(penalty=None, **given), X, y)
    free = quietly(SGDClassifier(penalty="l1", **{**given, "alpha": 0.0}), X, y)
    np.testing.assert_array_equal(none.coef_, free.coef_)


def test_means_of_coefficients_are_rarely_zero() -> None:
    X, y = binary()
    given = {**FAST, "penalty": "l1", "alpha": 0.05, "max_iter": 20, "tol": None}
    last = quietly(SGDClassifier(**given), X, y)
    mean = quietly(SGDClassifier(average=True, **given), X, y)
    assert (last.coef_ == 0.0).sum() > (mean.coef_ == 0.0).sum()


def test_a_checkpoint_knows_its_penalty(tmp_path: Path) -> None:
    X, y = binary()
    given = {**FAST, "alpha": 0.05, "tol": None, "backend": "numpy"}
    kept = {"checkpoint": tmp_path / "fit.ckpt", "resume": True}
    whole = quietly(SGDClassifier(penalty="l1", max_iter=6, **given), X, y)
    quietly(SGDClassifier(penalty="l1", max_iter=3, **given, **kept), X, y)
    with pytest.raises(ModelFileError, match="penalty was 'l1', and is 'elasticnet'"):
        SGDClassifier(penalty="elasticnet", max_iter=6, **given, **kept).fit(X, y)
    with pytest.raises(ModelFileError, match=r"l1_ratio was 0\.15, and is 0\.5"):
        SGDClassifier(penalty="l1", l1_ratio=0.5, max_iter=6, **given, **kept).fit(X, y)
    resumed = quietly(SGDClassifier(penalty="l1", max_iter=6, **given, **kept), X, y)
    np.testing.assert_array_equal(resumed.coef_, whole.coef_)
    np.testing.assert_array_equal(resumed.loss_history_, whole.loss_history_)
