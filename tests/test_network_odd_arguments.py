"""Odd arguments of networks, of what looks into them, and of pictures: clear words each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlp_data import quietly

from xpfit import DescentPath, LogisticRegression, MLPClassifier, MLPRegressor, Ridge, load, plots
from xpfit.core.network import (
    Affine,
    Dropout,
    Network,
    ReLU,
    SquaredError,
    examine_flow,
    summary,
)
from xpfit.estimators import ModelFileError

OUT = SquaredError()
NETWORK = Network(2, (Affine(3), ReLU(), Affine(1)), OUT)
THETA = NETWORK.initial(np.random.default_rng(0))
X = np.random.default_rng(1).normal(size=(40, 2))
Y = X[:, :1]
LABELS = (X > 0).astype(int)
SHORT: dict[str, Any] = {"hidden_layer_sizes": (4,), "max_iter": 2, "tol": None}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("2", (Affine(3),), OUT), "n_features='2': it is the whole number of columns"),
        ((2.5, (Affine(3),), OUT), "n_features=2.5"),
        ((True, (Affine(3),), OUT), "n_features=True"),
        ((2, None, OUT), "layers=None: they are a tuple"),
        ((2, Affine(3), OUT), "layers=Affine.*: they are a tuple"),
        ((2, (Affine(3), "relu"), OUT), "layer 2, 'relu': it is no layer"),
        ((2, (Affine,), OUT), "layer 1, <class .*Affine'>: it is no layer"),
        ((2, (Affine(3), OUT), OUT), r"layer 2, SquaredError\(\): it is an output"),
        ((2, (Affine(3),), "squared_error"), "output='squared_error': it is an output, such as"),
        ((2, (Affine(3),), SquaredError), "output=<class .*: it is an output, such as"),
    ],
    ids=str,
)
def test_what_a_network_is_made_of(arguments: Any, text: str) -> None:
    with pytest.raises(TypeError, match=f"Network was given {text}"):
        Network(*arguments)
    assert Network(np.int64(2), [Affine(3)], OUT).layers == (Affine(3),)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"batch_size": "32"}, ValueError, "batch_size='32'.*whole numbers"),
        ({"batch_size": 2.5}, ValueError, "batch_size=2.5.*whole numbers"),
        ({"n_slots": None}, ValueError, "n_slots=None.*whole numbers"),
        ({"dtype": "int32"}, ValueError, "dtype='int32'. Parameters are floats"),
        ({"dtype": "foo"}, ValueError, "dtype='foo'. Parameters are floats"),
        ({"network": MLPClassifier()}, TypeError, "no Network. Pass one of.*or network_ of"),
    ],
    ids=str,
)
def test_arguments_of_summary(options: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=f"summary was .*{text}"):
        summary(**{"network": NETWORK, **options})


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"network": Ridge()}, TypeError, "which is no Network"),
        ({"theta": THETA[:-1]}, ValueError, r"theta of shape \(12,\). Give theta of shape \(13,\)"),
        ({"theta": THETA[:, None]}, ValueError, r"theta of shape \(13, 1\)"),
        ({"theta": NETWORK.unpack(THETA)}, ValueError, r"layer by layer.*network.pack"),
        ({"theta": None}, ValueError, "no theta. Give theta of"),
        ({"theta": THETA.astype(int)}, TypeError, "theta of dtype int64. Give floats"),
        ({"X": X.astype(str)}, TypeError, "X of dtype <U.*Give numbers"),
        ({"y": Y.astype(object)}, TypeError, "y of dtype object. Give numbers"),
        ({"key": -1}, ValueError, "key=-1. It must be a whole number"),
        ({"key": "a"}, ValueError, "key='a'. It must be a whole number"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_arguments_of_examine_flow(options: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=f"examine_flow was given .*{text}"):
        examine_flow(**{"network": NETWORK, "theta": THETA, "X": X, "y": Y, **options})


def test_examine_flow_reads_lists() -> None:
    noisy = Network(2, (Affine(3), Dropout(0.5), Affine(1)), OUT)
    theta, weight = noisy.initial(np.random.default_rng(0)), np.ones(40)
    found = examine_flow(noisy, theta.tolist(), X.tolist(), Y.tolist(), weight.tolist(), key=3)
    assert found.loss == examine_flow(noisy, theta, X, Y, weight, key=np.int64(3)).loss


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_a_descent_path_is_refused_before_the_first_step(cls: Any, solver: str) -> None:
    told: list[Any] = []
    model = cls(**SHORT, solver=solver, callbacks=[told.append, DescentPath()])
    with pytest.raises(TypeError, match=rf"DescentPath was given to {cls.__name__} in callbacks"):
        model.fit(X, LABELS[:, 0])
    assert told == []


def test_several_labels_have_no_boundary() -> None:
    pytest.importorskip("matplotlib")
    several = quietly(MLPClassifier(**SHORT), X, LABELS)
    for y in (LABELS, LABELS[:, 0]):
        with pytest.raises(ValueError, match=r"predicts 2 labels a row.*Fit a model to one column"):
            plots.plot_decision_boundary(several, X, y)
    one = LogisticRegression().fit(X, LABELS[:, 0])
    with pytest.raises(ValueError, match=r"y has shape \(40, 2\), and LogisticRegression predicts"):
        plots.plot_decision_boundary(one, X, LABELS)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_file_whose_weights_are_no_numbers_is_refused(tmp_path: Path, value: float) -> None:
    path = tmp_path / "model.safetensors"
    network = quietly(MLPRegressor(**SHORT), X, Y)
    network.theta_[3] = value
    linear = Ridge().fit(X, Y[:, 0])
    linear.coef_[1] = value
    for model, name in ((network, "theta_"), (linear, "coef_")):
        model.save(path)
        with pytest.raises(ModelFileError, match=rf"load\): {name} holds NaN or infinity.*anew"):
            load(path)
