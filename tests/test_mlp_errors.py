"""Networks that cannot be, data that do not fit, and fits that end early: clear words each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse
from mlp_data import SMALL, binary, labels, numeric, quietly, three_classes
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import StrOptions

from xpfit import MLPClassifier, MLPRegressor, SGDClassifier, load
from xpfit.core.epochs import DivergenceError
from xpfit.core.network import Affine, BatchNorm, Layer, SquaredError, Tanh
from xpfit.core.optimizers import Adam
from xpfit.estimators import ModelFileError
from xpfit.estimators._mlp_options import MLP_CONSTRAINTS


@dataclass(frozen=True)
class Square(Layer):
    """A layer of one's own."""

    name = "square"

    def forward(self, xp, parameters, statistics, x, moment):
        return x * x, x, statistics

    def backward(self, xp, parameters, context, d_output):
        return 2.0 * context * d_output, ()


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"hidden_layer_sizes": (8, 0)}, ValueError, "0 is no number of units"),
        ({"hidden_layer_sizes": (-3,)}, ValueError, "-3 is no number of units"),
        ({"hidden_layer_sizes": 0}, ValueError, "0 is no number of units"),
        ({"hidden_layer_sizes": (8, "ten")}, ValueError, "'ten' is no number of units"),
        ({"hidden_layer_sizes": (8.5,)}, ValueError, "8.5 is no number of units"),
        ({"hidden_layer_sizes": "8"}, ValueError, "hidden_layer_sizes"),
        ({"activation": "softmax"}, ValueError, "'gelu', 'identity', 'leaky_relu', 'logistic'"),
        ({"solver": "adamm"}, ValueError, "{'adam', 'lbfgs', 'sgd'}"),
        ({"optimizer": "adamm"}, ValueError, "MLPClassifier.*adam"),
        (
            {"optimizer": Adam(), "schedule": "constant"},
            ValueError,
            "Set them where",
        ),
        ({"schedule": "cosinus"}, ValueError, "cosine"),
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"batch_size": "all"}, ValueError, "batch_size"),
        ({"dropout": 1.0}, ValueError, "dropout"),
        ({"normalization": "group"}, ValueError, "'batch', 'layer'"),
        ({"initializer": "glorot"}, ValueError, "'he', 'normal', 'orthogonal', 'xavier'"),
        ({"dtype": "float16"}, ValueError, "'float32', 'float64'"),
        ({"resume": True}, ValueError, "no checkpoint to resume from"),
        ({"layers": (Affine,)}, TypeError, "which is no layer"),
        ({"layers": (Tanh(), SquaredError())}, TypeError, "which is no layer"),
        ({"layers": (Affine(4),), "dropout": 0.5}, ValueError, "dropout=0.5.*Put it there"),
        ({"layers": (Affine(4),), "hidden_layer_sizes": (3,)}, ValueError, "hidden_layer_sizes"),
        ({"early_stopping": True, "validation_fraction": 1e-4}, ValueError, "no row to hold out"),
        ({"class_weight": {7: 2.0}}, ValueError, "class_weight names 7"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(options: Any, error: type[Exception], text: str) -> None:
    X, y = three_classes()
    model = MLPClassifier(**options)
    with pytest.raises(error, match=text):
        model.fit(X, y)
    assert not hasattr(model, "coefs_")


def test_no_constraint_is_told_in_the_order_of_a_set() -> None:
    for kind in (kind for kinds in MLP_CONSTRAINTS.values() for kind in kinds):
        if isinstance(kind, StrOptions):
            names = str(kind).partition("{")[2].rstrip("}").split(", ")
            assert names == sorted(names)


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_what_is_not_finite_in_x_is_named_before_any_work(cls: Any, backend: str) -> None:
    X, y = three_classes()
    said: list[Any] = []
    # tanh makes finite numbers of infinity.
    model = cls(**SMALL, activation="tanh", backend=backend, callbacks=said.append)
    for value, word in ((np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity")):
        bad = X.copy()
        bad[3, 1] = value
        kinds = [bad] if backend == "jax" else [bad, scipy.sparse.csr_matrix(bad)]
        for kind in kinds:
            with pytest.raises(
                ValueError, match=rf"Input X contains {word} .*column 1.*{cls.__name__}"
            ):
                model.fit(kind, y)
    assert said == []
    quietly(model, X, y)
    with pytest.raises(ValueError, match=f"{cls.__name__}: Input X contains infinity .*column 1"):
        model.predict(jnp.asarray(bad) if backend == "jax" else bad)


def test_numbers_that_only_add_up_to_infinity_are_fine() -> None:
    X = np.full((20, 2), 60_000.0, dtype=np.float16)
    X[::2, 0] = 0.0
    model = quietly(MLPClassifier(**SMALL, normalization="batch"), X, np.arange(20) % 2)
    assert np.isfinite(model.predict_proba(X)).all()


@pytest.mark.parametrize(
    ("y", "text"),
    [
        (np.zeros(150), "only one class"),
        (np.arange(149) % 3, "X has 150 rows, but y has 149"),
        (np.linspace(0.0, 1.0, 150), "Unknown label type: continuous"),
        (np.full((150, 2), 2), "Unknown label type.*with a column for each label"),
        (np.ones((149, 2)), "X has 150 rows, but y has 149"),
        (np.zeros((150, 2, 2)), "y should be a 1d array"),
        (np.asarray([np.nan] * 150), "Input y contains NaN"),
        (None, "requires y to be passed"),
    ],
    ids=str,
)
def test_labels_that_are_none(y: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        MLPClassifier(**SMALL).fit(three_classes()[0], y)


@pytest.mark.parametrize(
    ("y", "text"),
    [
        (np.zeros(149), "X has 150 rows, but y has 149"),
        (np.zeros((150, 2, 2)), "y should be a 1d array"),
        (np.asarray(["a"] * 150), "y holds text|not numbers|could not convert"),
        (np.full(150, np.inf), "contains infinity"),
    ],
    ids=["rows", "shape", "text", "infinity"],
)
def test_targets_that_are_none(y: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        MLPRegressor(**SMALL).fit(three_classes()[0], y)


def test_classes_of_partial_fit() -> None:
    X, y = three_classes()
    model = MLPClassifier(**SMALL)
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        model.partial_fit(X, y)
    with pytest.raises(ValueError, match="only one class"):
        model.partial_fit(X, y, classes=[0])
    model.partial_fit(X[:100], y[:100], classes=[0, 1, 2])
    with pytest.raises(ValueError, match=r"y holds 3, which is not among the classes 0, 1, 2"):
        model.partial_fit(X, y + 1)
    with pytest.raises(ValueError, match="not the same as on the last call"):
        model.partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match="2 columns of labels, and there are 3 classes"):
        model.partial_fit(X, np.zeros((150, 2)))
    with pytest.raises(ValueError, match="has 3 features"):
        model.partial_fit(X[:, :3], y)
    with pytest.raises(ValueError, match="not supported for partial_fit"):
        MLPClassifier(class_weight="balanced").partial_fit(X, y, classes=[0, 1, 2])
    X, y = labels()
    with pytest.raises(ValueError, match="a row one weight"):
        MLPClassifier(class_weight={0: 2.0}).fit(X, y)


def test_going_on_needs_the_same_network() -> None:
    X, y = three_classes()
    model = quietly(MLPClassifier(**SMALL, warm_start=True), X, y)
    for change in ({"hidden_layer_sizes": (9,)}, {"dtype": "float64"}, {"activation": "tanh"}):
        model.set_params(**change)
        with pytest.raises(ValueError, match=r"warm_start=True.*4-8-3.*fit a clone"):
            model.fit(X, y)
        with pytest.raises(ValueError, match=r"partial_fit: the last fit had"):
            model.partial_fit(X, y)
        model.set_params(**{name: MLPClassifier(**SMALL).get_params()[name] for name in change})
    with pytest.raises(ValueError, match="those of the last fit"):
        model.fit(X, y == 1)
    with pytest.raises(ValueError, match="4-8-3"):
        model.fit(X[:, :2], y)
    # Widths are those of affine layers; what stands between them is named.
    model.set_params(layers=(BatchNorm(), Affine(5), Tanh()), hidden_layer_sizes=(100,))
    told = r"network 4-8-3 with relu \(Soft.*ask for 4-5-3 with batch_norm, tanh \(Soft"
    with pytest.raises(ValueError, match=told):
        model.fit(X, y)
    regressor = quietly(MLPRegressor(**SMALL, warm_start=True), X, X[:, 0])
    with pytest.raises(ValueError, match=r"4-8-1.*4-8-2"):
        regressor.fit(X, X[:, :2])


def test_divergence_names_step_and_layer_and_keeps_the_best() -> None:
    X, y = numeric()
    with pytest.raises(DivergenceError, match=r"MLPRegressor: .*step \d+, in epoch .*layer") as hit:
        MLPRegressor(**{**SMALL, "learning_rate_init": 1e30}, solver="sgd").fit(X, y)
    assert "learning rate was 1e+30" in str(hit.value)
    options = {**SMALL, "max_iter": 40, "learning_rate_init": 0.001}
    model = MLPRegressor(**options, optimizer="sgd", schedule=late)
    with pytest.raises(DivergenceError, match=r"layer \d \(affine|relu\)"):
        model.fit(X, y)
    assert np.isfinite(model.theta_).all()
    assert model.stop_reason_ == "diverged"
    assert model.score(X, y) > 0.0


def late(step: int) -> float:
    """A rate that breaks everything after some epochs."""
    return 0.01 if step < 100 else 1e30


def test_ctrl_c_leaves_a_model() -> None:
    X, y = binary()

    def stop(record: Any) -> None:
        if record.iteration == 3:
            raise KeyboardInterrupt

    model = MLPClassifier(**{**SMALL, "max_iter": 50}, callbacks=stop)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert model.stop_reason_ == "interrupted"
    assert model.score(X, y) > 0.9


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"hidden_layer_sizes": (9,)}, r"hidden_layer_sizes was \(8,\), and is \(9,\)"),
        ({"normalization": "batch"}, "normalization was None, and is 'batch'"),
        ({"dtype": "float64"}, "dtype was 'float32', and is 'float64'"),
    ],
)
def test_a_checkpoint_of_another_architecture_is_refused(
    tmp_path: Path, change: dict[str, Any], text: str
) -> None:
    X, y = three_classes()
    options = {**SMALL, "checkpoint": tmp_path / "fit.ckpt"}
    quietly(MLPClassifier(**options), X, y)
    with pytest.raises(ModelFileError, match=text):
        MLPClassifier(**{**options, **change, "resume": True}).fit(X, y)
    with pytest.raises(ModelFileError, match="checkpoint of another fit"):
        SGDClassifier(checkpoint=tmp_path / "fit.ckpt", resume=True).fit(X, y)


def test_what_a_file_cannot_keep_is_named(tmp_path: Path) -> None:
    X, y = three_classes()
    path = tmp_path / "model.safetensors"
    with pytest.raises(NotFittedError):
        MLPClassifier().save(path)
    model = quietly(MLPClassifier(**{**SMALL, "hidden_layer_sizes": (100,)},
                                  layers=(Affine(4), Square(), BatchNorm())), X, y)  # fmt: skip
    assert model.score(X, y) > 0.5
    with pytest.raises(ModelFileError, match="the layer Square is your own code"):
        model.save(path)
    assert not path.exists()


def test_a_file_whose_arrays_do_not_fit_is_refused(tmp_path: Path) -> None:
    X, y = three_classes()
    path = tmp_path / "model.safetensors"
    model = quietly(MLPClassifier(**SMALL), X, y)
    model.theta_ = model.theta_[:-1]
    model.save(path)
    with pytest.raises(ModelFileError, match="theta_ has shape"):
        load(path)


def test_answers_before_the_fit() -> None:
    model = MLPClassifier()
    for method in (model.predict, model.predict_proba, model.predict_log_proba):
        with pytest.raises(NotFittedError):
            method(np.zeros((2, 2)))
    assert not any(hasattr(model, name) for name in ("coefs_", "loss_", "n_layers_", "loss_curve_"))
