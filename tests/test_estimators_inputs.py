"""Whatever holds X and y: the answer is the same, X is never copied, predictions stay put."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from sklearn.exceptions import DataConversionWarning

import xpfit.estimators.logistic
from xpfit.backends import Backend
from xpfit.estimators import LinearRegression, LogisticRegression, PoissonRegressor, Ridge

RNG = np.random.default_rng(0)
NAMES = ["a", "b", "c"]
X_INT = RNG.integers(0, 9, (120, 3))
LABELS = (X_INT[:, 0] + RNG.integers(0, 6, 120) > 6).astype(int)
TARGETS = X_INT @ [1.0, -2.0, 0.5] + RNG.standard_normal(120)
FLOATS = X_INT.astype(float)


def frame(X: Any) -> pd.DataFrame:
    return pd.DataFrame(X, columns=NAMES)


HOST: dict[str, Callable[[], Any]] = {
    "list": X_INT.tolist,
    "C order": FLOATS.copy,
    "Fortran order": lambda: np.asfortranarray(FLOATS),
    "strided": lambda: np.repeat(FLOATS, 2, axis=0)[::2],
    "reversed": lambda: np.ascontiguousarray(FLOATS[::-1])[::-1],
    "float32": lambda: FLOATS.astype(np.float32),
    "float16": lambda: FLOATS.astype(np.float16),
    "uint8": lambda: X_INT.astype(np.uint8),
    "int64": lambda: X_INT,
    "big endian": lambda: FLOATS.astype(">f8"),
    "longdouble": lambda: FLOATS.astype(np.longdouble),
    "object": lambda: FLOATS.astype(object),
    "memory view of a read-only array": lambda: np.frombuffer(FLOATS.tobytes()).reshape(120, 3),
    "csr": lambda: sp.csr_array(FLOATS),
    "csr matrix": lambda: sp.csr_matrix(FLOATS),
    "csc": lambda: sp.csc_array(FLOATS),
    "coo": lambda: sp.coo_array(FLOATS),
    "pandas": lambda: frame(FLOATS),
    "pandas mixed": lambda: frame(FLOATS).astype({"a": "int8", "b": "float32"}),
    "pandas nullable": lambda: frame(X_INT).astype("Int64"),
    "pandas arrow": lambda: frame(X_INT).astype("int64[pyarrow]"),
    "polars": lambda: pl.DataFrame(FLOATS, schema=NAMES),
    "pyarrow": lambda: pa.table({name: FLOATS[:, j] for j, name in enumerate(NAMES)}),
}
WITH_NAMES = {"pandas", "pandas mixed", "pandas nullable", "pandas arrow", "polars", "pyarrow"}


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("kind", HOST)
def test_host_containers(kind: str, backend: str) -> None:
    X = HOST[kind]()
    expected = LogisticRegression(backend="numpy", tol=1e-10).fit(FLOATS, LABELS)
    model = LogisticRegression(backend=backend, tol=1e-10).fit(X, LABELS)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-6)
    proba = model.predict_proba(X)
    assert type(proba) is np.ndarray
    np.testing.assert_allclose(proba, expected.predict_proba(FLOATS), rtol=1e-6)
    assert hasattr(model, "feature_names_in_") == (kind in WITH_NAMES)
    if kind in WITH_NAMES:
        assert model.feature_names_in_.tolist() == NAMES


def test_bool_columns() -> None:
    X = X_INT > 4
    model = Ridge().fit(X, TARGETS)
    np.testing.assert_allclose(model.coef_, Ridge().fit(X.astype(float), TARGETS).coef_, rtol=1e-8)


@pytest.mark.parametrize(
    "kind", ["C order", "Fortran order", "float32", "float16", "uint8", "csr", "pandas"]
)
def test_core_is_handed_x_as_stored(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    X = HOST[kind]()
    seen = []
    real = xpfit.estimators.logistic.fit_linear_model

    def spy(X: Any, *rest: Any, **options: Any) -> Any:
        seen.append(X)
        return real(X, *rest, **options)

    monkeypatch.setattr(xpfit.estimators.logistic, "fit_linear_model", spy)
    LogisticRegression().fit(X, LABELS)
    (given,) = seen
    if kind == "csr":
        assert np.shares_memory(given.data, X.data)
    else:
        assert np.shares_memory(given, X.to_numpy() if kind == "pandas" else X)
        assert given.dtype == (np.float64 if kind == "pandas" else X.dtype)


@pytest.mark.parametrize(
    "make",
    [
        lambda y: y.tolist(),
        lambda y: y.astype(bool),
        lambda y: y.astype(np.uint8),
        lambda y: y.astype(float),
        lambda y: pd.Series(y, index=range(7, 127)),
        lambda y: pd.Series(y).astype("Int64"),
        lambda y: pl.Series(y),
        lambda y: pa.chunked_array([y]),
        lambda y: np.asarray(["no", "yes"])[y],
        lambda y: np.asarray(["no", "yes"], dtype=object)[y],
        lambda y: pd.Series(np.asarray(["no", "yes"])[y]),
        lambda y: pd.Series(np.asarray(["no", "yes"])[y], dtype="category"),
        lambda y: pl.Series(np.asarray(["no", "yes"])[y]),
        lambda y: y * 1_000_000_007 - 5,
        lambda y: np.asarray([250, 3], dtype=np.uint8)[1 - y],
        lambda y: np.asarray([-128, 127], dtype=np.int8)[y],
        lambda y: np.asarray([0, 2**64 - 1], dtype=np.uint64)[y],
    ],
)
def test_labels(make: Callable[[Any], Any]) -> None:
    y = make(LABELS)
    model = LogisticRegression().fit(FLOATS, y)
    values = np.asarray(y)
    classes = np.unique(values.astype(str) if values.dtype == object else values)
    assert model.classes_.astype(classes.dtype).tolist() == classes.tolist()
    reference = LogisticRegression().fit(FLOATS, LABELS)
    np.testing.assert_allclose(np.abs(model.coef_), np.abs(reference.coef_), rtol=1e-5)
    assert model.score(FLOATS, values) == pytest.approx(reference.score(FLOATS, LABELS))
    assert model.predict(FLOATS).dtype == model.classes_.dtype


def test_column_vector_warns_and_is_flattened() -> None:
    for model, y in ((LogisticRegression(), LABELS), (PoissonRegressor(), LABELS)):
        with pytest.warns(DataConversionWarning, match="A column-vector y was passed"):
            fitted = model.fit(FLOATS, y[:, None])
        assert fitted.predict(FLOATS).shape == (120,)
    assert LinearRegression().fit(FLOATS, TARGETS[:, None]).predict(FLOATS).shape == (120, 1)


def test_sample_weight_kinds() -> None:
    weight = RNG.uniform(0.5, 2.0, 120)
    expected = Ridge().fit(FLOATS, TARGETS, weight).coef_
    for same in (weight.tolist(), pd.Series(weight), pl.Series(weight), weight.astype(object)):
        np.testing.assert_allclose(Ridge().fit(FLOATS, TARGETS, same).coef_, expected)
    np.testing.assert_allclose(
        Ridge(alpha=2.0).fit(FLOATS, TARGETS, 2.0).coef_, Ridge().fit(FLOATS, TARGETS).coef_
    )


@pytest.mark.parametrize("dtype", ["float64", "float32", "int32"])
def test_jax_arrays_stay_jax(jax_backend: Backend, dtype: str) -> None:
    X, y = jax_backend.from_numpy(X_INT.astype(dtype)), jax_backend.from_numpy(LABELS)
    rtol = 1e-2 if dtype == "float32" else 1e-6
    model = LogisticRegression(tol=1e-4 if dtype == "float32" else 1e-10).fit(X, y)
    assert model.backend_ == "jax"
    assert type(model.coef_) is np.ndarray
    expected = LogisticRegression(tol=1e-10).fit(FLOATS, LABELS)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=rtol)
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        result = getattr(model, method)(X)
        assert isinstance(result, jax_backend.array_type), method
        on_host = getattr(model, method)(FLOATS)
        assert type(on_host) is np.ndarray
        np.testing.assert_allclose(np.asarray(result), on_host, rtol=rtol, atol=1e-6)
    assert model.score(X, y) == pytest.approx(model.score(FLOATS, LABELS))
    multi = LogisticRegression().fit(X, jax_backend.from_numpy(X_INT[:, 1] % 3))
    assert isinstance(multi.predict(X), jax_backend.array_type)


def test_jax_arrays_with_text_labels_and_weights(jax_backend: Backend) -> None:
    X = jax_backend.from_numpy(FLOATS)
    weight = np.linspace(0.5, 2.0, 120)
    y = np.asarray(["no", "yes"])[LABELS]
    model = LogisticRegression(class_weight="balanced", tol=1e-10)
    model.fit(X, y, jax_backend.from_numpy(weight))
    expected = LogisticRegression(class_weight="balanced", tol=1e-10).fit(FLOATS, y, weight)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-6)
    assert model.predict(X).tolist() == expected.predict(FLOATS).tolist()


def test_regressors_on_jax_arrays(jax_backend: Backend) -> None:
    X, y = jax_backend.from_numpy(FLOATS), jax_backend.from_numpy(TARGETS)
    for model in (LinearRegression(), Ridge()):
        model.fit(X, y)
        assert isinstance(model.predict(X), jax_backend.array_type)
        np.testing.assert_allclose(np.asarray(model.predict(X)), model.predict(FLOATS), rtol=1e-9)
        assert model.score(X, y) == pytest.approx(model.score(FLOATS, TARGETS))


def test_host_data_are_sent_to_an_asked_backend_and_come_back(jax_backend: Backend) -> None:
    model = LogisticRegression(backend="jax", tol=1e-10).fit(FLOATS, LABELS)
    assert model.backend_ == "jax"
    assert type(model.predict_proba(FLOATS)) is np.ndarray
    expected = LogisticRegression(tol=1e-10).fit(FLOATS, LABELS)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-6)


def test_torch_tensors_are_shared_and_come_back_as_tensors() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    X, y = torch.from_numpy(FLOATS), torch.from_numpy(LABELS)
    model = LogisticRegression(tol=1e-10).fit(X, y)
    np.testing.assert_allclose(
        model.coef_, LogisticRegression(tol=1e-10).fit(FLOATS, LABELS).coef_, rtol=1e-8
    )
    assert isinstance(model.predict_proba(X), torch.Tensor)
    assert isinstance(model.predict(X), torch.Tensor)
    assert model.score(X, y) == model.score(FLOATS, LABELS)
    assert isinstance(Ridge().fit(X, torch.from_numpy(TARGETS)).predict(X), torch.Tensor)


@pytest.mark.gpu
def test_cupy_arrays_stay_cupy() -> None:
    cupy = pytest.importorskip("cupy", reason="cupy is not installed")
    X, y = cupy.asarray(FLOATS), cupy.asarray(LABELS)
    model = LogisticRegression(tol=1e-10).fit(X, y)
    assert model.backend_ == "cupy"
    assert isinstance(model.predict_proba(X), cupy.ndarray)
    np.testing.assert_allclose(
        model.coef_, LogisticRegression(tol=1e-10).fit(FLOATS, LABELS).coef_, rtol=1e-6
    )


def test_large_and_small_labels_need_little_memory() -> None:
    import tracemalloc

    from xpfit.estimators._labels import encode_labels

    n_samples = 200_000
    codes = RNG.integers(0, 5, n_samples)
    for y in (codes, codes.astype(float), codes > 2, np.asarray(list("abcde"))[codes]):
        tracemalloc.start()
        labels = encode_labels(None, y, n_samples)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 40 * n_samples
        assert labels.codes.dtype == np.int32
        assert (labels.classes[labels.codes] == y).all()


def test_warm_start_begins_where_the_last_fit_ended() -> None:
    model = LogisticRegression(warm_start=True, tol=1e-8).fit(FLOATS, LABELS)
    first = model.coef_
    model.fit(FLOATS, LABELS)
    assert int(model.n_iter_[0]) <= 1
    np.testing.assert_allclose(model.coef_, first, rtol=1e-5)


def stop_after_one(record: Any) -> bool:
    return bool(record.iteration >= 1)


def test_callbacks_see_every_iteration_and_can_stop() -> None:
    seen: list[Any] = []
    model = LogisticRegression(callbacks=seen.append, solver="lbfgs").fit(FLOATS, LABELS)
    assert [record.iteration for record in seen] == list(range(int(model.n_iter_[0]) + 1))
    assert [record.loss for record in seen] == model.loss_history_.tolist()
    stopped = LogisticRegression(callbacks=[stop_after_one], solver="lbfgs", tol=1e-12)
    stopped.fit(FLOATS, LABELS)
    assert stopped.stop_reason_ == "stopped by callback"
    assert int(stopped.n_iter_[0]) == 1


def test_verbose_prints_a_line_per_iteration(capsys: pytest.CaptureFixture[str]) -> None:
    model = LogisticRegression(verbose=1, solver="lbfgs").fit(FLOATS, LABELS)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == int(model.n_iter_[0]) + 1
    assert lines[0].startswith("iteration ")


def test_fitted_attributes_tell_how_the_fit_went() -> None:
    model = LogisticRegression().fit(FLOATS, LABELS)
    assert model.n_iter_.shape == (1,)
    assert model.n_passes_ >= 1
    assert model.loss_history_.ndim == 1
    assert model.gradient_norm_ <= 1e-6
    assert model.stop_reason_ == model.result_.stop_reason
    assert isinstance(model.solver_, str)
