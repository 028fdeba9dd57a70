"""A fitted model travels: by pickle, and by a safetensors file that holds no code."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import USERS_OWN, python_output
from safetensors.numpy import save as to_bytes
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

import xpfit
from xpfit.backends import Backend
from xpfit.core.losses import huber
from xpfit.core.network import Affine, Tanh
from xpfit.estimators import (
    ElasticNet,
    GeneralizedLinearRegressor,
    HuberRegressor,
    Lasso,
    LinearRegression,
    LogisticRegression,
    MLPClassifier,
    MLPRegressor,
    ModelFileError,
    PoissonRegressor,
    Ridge,
    SGDClassifier,
    SGDRegressor,
    load,
    read_metadata,
)

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 3))
BINARY = (X[:, 0] + RNG.standard_normal(60) > 0).astype(int)
TEXT = np.asarray(["ham", "spam", "tofu"])[RNG.integers(0, 3, 60)]
TARGETS = X @ [1.0, 2.0, 3.0] + RNG.standard_normal(60)
MODELS = {
    "least squares": (LinearRegression(), TARGETS),
    "several targets": (LinearRegression(), np.stack([TARGETS, -TARGETS], axis=1)),
    "ridge": (Ridge(alpha=[2.0]), TARGETS),
    "binary": (LogisticRegression(C=np.inf), BINARY),
    "text": (LogisticRegression(class_weight={"ham": 2.0, "spam": 1.0, "tofu": 0.5}), TEXT),
    "objects": (LogisticRegression(class_weight="balanced"), TEXT.astype(object)),
    "booleans": (LogisticRegression(), BINARY.astype(bool)),
    "whole floats": (LogisticRegression(class_weight={0: 1.0, 1: 2.0}), BINARY.astype(float)),
    "counts": (PoissonRegressor(alpha=0.1), BINARY),
    "huber": (HuberRegressor(), TARGETS),
    "loss by name": (GeneralizedLinearRegressor(loss="half_binomial"), BINARY),
    "lasso": (Lasso(alpha=0.1), TARGETS),
    "elastic net": (ElasticNet(alpha=0.1, selection="random"), TARGETS),
    "L1": (LogisticRegression(l1_ratio=0.5), BINARY),
    "descent": (SGDClassifier(average=True, random_state=0), BINARY),
    "descent, text": (SGDClassifier(optimizer="adam", early_stopping=True), TEXT),
    "descent, numbers": (SGDRegressor(momentum=0.5, random_state=0), TARGETS),
    "network": (MLPClassifier((4,), normalization="batch", max_iter=4, tol=None), TEXT),
    "network, layers": (MLPRegressor(layers=(Affine(4), Tanh()), max_iter=4, tol=None), TARGETS),
    "network, two classes": (MLPClassifier(early_stopping=True, max_iter=4, tol=None), BINARY),
    "huber loss": (GeneralizedLinearRegressor(loss=huber(0.7)), TARGETS),
}


def assert_same(one: Any, other: Any) -> None:
    assert type(one) is type(other)
    mine, theirs = one.get_params(), other.get_params()
    assert mine.keys() == theirs.keys()
    for key, value in mine.items():
        assert np.array_equal(value, theirs[key]) or value == theirs[key], key
    for name, value in vars(one).items():
        if name.endswith("_") and name != "result_":
            found = getattr(other, name)
            np.testing.assert_array_equal(value, found, err_msg=name)  # NaN is NaN
            assert np.asarray(value).dtype == np.asarray(found).dtype, name
    np.testing.assert_array_equal(one.predict(X), other.predict(X))


@pytest.mark.parametrize("case", MODELS)
def test_pickle(case: str) -> None:
    model, y = MODELS[case]
    model.fit(X, y)
    copy = pickle.loads(pickle.dumps(model))
    assert_same(model, copy)
    assert copy.result_.stop_reason == model.stop_reason_


@pytest.mark.parametrize("case", MODELS)
def test_save_and_load(case: str, tmp_path: Path) -> None:
    model, y = MODELS[case]
    path = tmp_path / "model.safetensors"
    model.fit(X, y).save(path, metadata={"trained on": "a test", "rows": 60})
    assert_same(model, load(path))
    assert read_metadata(path)["metadata"] == {"trained on": "a test", "rows": 60}
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]
    assert xpfit.load(str(path)).stop_reason_ == model.stop_reason_


def test_metadata_of_a_frame(tmp_path: Path) -> None:
    path = tmp_path / "model"
    LogisticRegression(C=2.0).fit(pd.DataFrame(X, columns=["a", "b", "c"]), TEXT).save(path)
    found = read_metadata(path)
    assert found["estimator"] == "LogisticRegression"
    assert found["params"]["C"] == 2.0
    assert found["classes"].tolist() == ["ham", "spam", "tofu"]
    assert found["feature_names"].tolist() == ["a", "b", "c"]
    assert found["n_features"] == 3
    assert found["xpfit_version"] == xpfit.__version__
    assert found["metadata"] == {}
    with pytest.raises(ValueError, match="feature names should match"):
        load(path).predict(pd.DataFrame(X, columns=["a", "c", "b"]))


WITHOUT_JAX = """
import sys

class Missing:
    # Not sys.modules[name] = None: SciPy takes every name in there for an imported module.
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {{"jax", "jaxlib", "numba", "cupy", "torch"}}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
import pickle, numpy as np
from xpfit.estimators import load
X = np.load({folder!r} + "/X.npy")
with open({folder!r} + "/model.pickle", "rb") as file:
    models = [pickle.load(file), load({folder!r} + "/model.safetensors")]
for model in models:
    assert model.backend_ == "jax"
    np.testing.assert_allclose(model.predict_proba(X), np.load({folder!r} + "/proba.npy"))
    assert model.predict(np.tile(X, (5000, 1))).shape == (300000,)
sys.stdout.write("same")
"""


def test_a_model_fitted_on_jax_predicts_with_numpy_alone(
    jax_backend: Backend, tmp_path: Path
) -> None:
    model = LogisticRegression(backend="jax").fit(X, TEXT)
    (tmp_path / "model.pickle").write_bytes(pickle.dumps(model))
    model.save(tmp_path / "model.safetensors")
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "proba.npy", model.predict_proba(X))
    assert python_output(WITHOUT_JAX.format(folder=str(tmp_path))) == "same"


def test_saving_replaces_a_model_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    Ridge(alpha=1.0).fit(X, TARGETS).save(path)
    Ridge(alpha=2.0).fit(X, TARGETS).save(path)
    assert load(path).alpha == 2.0
    before = path.read_bytes()
    with pytest.raises(ModelFileError, match="metadata is not JSON"):
        Ridge(alpha=3.0).fit(X, TARGETS).save(path, metadata={"when": object()})
    assert path.read_bytes() == before
    with pytest.raises(ModelFileError, match=r"saving to .*asked by Ridge.save.*cannot be written"):
        Ridge().fit(X, TARGETS).save(tmp_path / "no folder" / "model")
    with pytest.raises(ModelFileError, match=r"it is a folder.*name a file in it"):
        Ridge().fit(X, TARGETS).save(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]


def test_what_cannot_be_saved(tmp_path: Path) -> None:
    path = tmp_path / "model"
    with pytest.raises(NotFittedError):
        Ridge().save(path)
    model = GeneralizedLinearRegressor(loss=USERS_OWN).fit(X, TARGETS)
    with pytest.raises(ModelFileError, match=r"'scaled_log_cosh' is your own code.*numpy.savez"):
        model.save(path)
    model = Ridge(callbacks=[lambda record: None]).fit(X, TARGETS)
    with pytest.raises(ModelFileError, match=r"callbacks.*set_params\(callbacks=None\)"):
        model.save(path)
    model.set_params(callbacks=None).save(path)
    model = LogisticRegression(random_state=np.random.RandomState(0)).fit(X, BINARY)
    with pytest.raises(ModelFileError, match=r"random_state cannot be kept.*RandomState"):
        model.save(path)

    class Mine(Ridge):
        pass

    with pytest.raises(ModelFileError, match=r"Mine is not one of.*subclass with pickle"):
        Mine().fit(X, TARGETS).save(path)
    assert not hasattr(make_pipeline(Ridge()), "save")


def rewritten(path: Path, change: dict[str, Any]) -> None:
    """The model file with parts of its header replaced."""
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        header = json.loads(file.metadata()["xpfit_model"])
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    path.write_bytes(to_bytes(tensors, {"xpfit_model": json.dumps({**header, **change})}))


@pytest.mark.parametrize("reader", [load, read_metadata], ids=["load", "read_metadata"])
def test_files_that_are_no_models(reader: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    who = reader.__name__
    with pytest.raises(ModelFileError, match=rf"reading .*asked by {who}.*does not exist.*check"):
        reader(path)
    with pytest.raises(ModelFileError, match="it is a folder"):
        reader(tmp_path)
    LogisticRegression().fit(X, TEXT).save(path)
    whole = path.read_bytes()
    for n_bytes in (0, 5, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:n_bytes])
        with pytest.raises(ModelFileError, match=rf"asked by {who}.*no whole safetensors file"):
            reader(path)
    path.write_bytes(pickle.dumps({"coef_": [1.0]}))
    with pytest.raises(ModelFileError, match="no whole safetensors file"):
        reader(path)
    path.write_bytes(to_bytes({"weight": np.zeros(3)}))
    with pytest.raises(ModelFileError, match="not one that xpfit wrote"):
        reader(path)
    path.write_bytes(to_bytes({"weight": np.zeros(3)}, {"xpfit_model": "no json"}))
    with pytest.raises(ModelFileError, match="header is damaged"):
        reader(path)
    path.write_bytes(whole)
    rewritten(path, {"format_version": 99, "xpfit_version": "7.0"})
    with pytest.raises(ModelFileError, match=r"version 99 \(written by xpfit 7\.0\).*upgrade"):
        reader(path)
    path.write_bytes(whole)
    rewritten(path, {"attributes": {"classes_": {"$evil": 1}}})
    with pytest.raises(ModelFileError, match="header is damaged"):
        reader(path)


def test_files_that_no_model_can_be_made_of(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    Ridge().fit(X, TARGETS).save(path)
    whole = path.read_bytes()
    for change, text in (
        ({"estimator": "os.system"}, "class 'os.system', which xpfit .* does not know.*upgrade"),
        ({"params": {"alhpa": 1.0}}, "header is damaged.*alhpa"),
        ({"attributes": {"__class__": "x"}}, "not the name of a fitted attribute"),
        ({"attributes": {"n_features_in_": 7}}, "header is damaged.*coef_ has shape"),
        ({"attributes": {}}, "header is damaged.*n_features_in_"),
    ):
        path.write_bytes(whole)
        rewritten(path, change)
        with pytest.raises(ModelFileError, match=text):
            load(path)
