"""A fitted model in one safetensors file: arrays, and JSON in the header. No pickle, ever."""

from __future__ import annotations

import json
import os
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ._model_json import NotKeepableError, decode_value, encode_value
from ._tensor_file import damaged, file_error, read_tensors, write_atomically

FORMAT_VERSION = 1
_HEADER_KEY = "xpfit_model"
# The classes that a file may name, and their modules. A file can never name any other code.
_CLASSES = {
    "ElasticNet": "elastic_net",
    "ElasticNetCV": "elastic_net_cv",
    "GeneralizedLinearRegressor": "glm",
    "HuberRegressor": "huber",
    "Lasso": "elastic_net",
    "LassoCV": "elastic_net_cv",
    "LinearRegression": "linear",
    "LogisticRegression": "logistic",
    "LogisticRegressionCV": "logistic_cv",
    "MLPClassifier": "mlp_classifier",
    "MLPRegressor": "mlp_regressor",
    "PoissonRegressor": "glm",
    "Ridge": "ridge",
    "RidgeCV": "ridge_cv",
    "SGDClassifier": "sgd_classifier",
    "SGDRegressor": "sgd_regressor",
}
_FITTED = re.compile(r"[A-Za-z][a-z0-9_]*_")
# What predictions are made of.
_PREDICT = ("coef_", "intercept_", "theta_")
# How the fit went, iteration by iteration; `loss_history_` and the other figures are kept.
_NOT_KEPT = {"result_"}


def save(estimator: Any, path: str | os.PathLike[str], metadata: dict[str, Any] | None) -> None:
    """Write a fitted estimator; `estimator.save(path, metadata)` is the public way."""
    from safetensors.numpy import save as to_bytes

    name = type(estimator).__name__
    who, asked = f"{name}.save", f"saving to {os.fspath(path)!r}"
    if name not in _CLASSES or not isinstance(estimator, _class_of(name)):
        raise file_error(
            asked, who, f"{name} is not one of {', '.join(_CLASSES)}",
            "save the fitted estimator itself; keep a Pipeline or a subclass with pickle",
        )  # fmt: skip
    tensors: dict[str, np.ndarray[Any, Any]] = {}
    values: dict[str, Any] = {}
    for attribute, value in vars(estimator).items():
        if not _FITTED.fullmatch(attribute) or attribute in _NOT_KEPT:
            continue
        if (
            isinstance(value, (np.ndarray, np.floating))
            and value.dtype.kind in "biuf"
            and (attribute != "classes_")
        ):
            tensors[attribute] = np.ascontiguousarray(value).reshape(np.shape(value))
        else:
            values[attribute] = _encode(value, attribute, asked, who)
    if estimator.callbacks is not None:
        raise file_error(
            asked, who, "callbacks holds functions, and a model file holds no code",
            "call set_params(callbacks=None) first; the fitted attributes stay",
        )  # fmt: skip
    params = estimator.get_params(deep=False)
    header = {
        "format_version": FORMAT_VERSION,
        "xpfit_version": __version__,
        "estimator": name,
        "params": {key: _encode(value, key, asked, who) for key, value in params.items()},
        "attributes": values,
        "metadata": _plain_json(metadata, asked, who),
    }
    text = json.dumps(header, allow_nan=False)
    write_atomically(Path(path), to_bytes(tensors, {_HEADER_KEY: text}), asked, who)


def _encode(value: Any, name: str, asked: str, who: str) -> Any:
    try:
        return encode_value(value)
    except NotKeepableError as problem:
        why = f"{name} cannot be kept: {problem}"
        raise file_error(asked, who, why, problem.remedy) from problem


def _plain_json(metadata: Any, asked: str, who: str) -> Any:
    try:
        return json.loads(json.dumps({} if metadata is None else metadata, allow_nan=False))
    except (TypeError, ValueError) as problem:
        raise file_error(
            asked, who, f"metadata is not JSON: {problem}",
            "pass text, finite numbers, booleans, None, lists and dicts only",
        ) from problem  # fmt: skip


def _class_of(name: str) -> Any:
    return getattr(import_module(f".{_CLASSES[name]}", __package__), name)


def _refuse_nonfinite(tensors: dict[str, np.ndarray[Any, Any]], asked: str) -> None:
    for name in _PREDICT:
        if name in tensors and not np.isfinite(tensors[name]).all():
            raise file_error(
                asked, "load", f"{name} holds NaN or infinity, so the model can predict nothing",
                "fit and save anew; the file is damaged, or the model was before it was saved",
            )  # fmt: skip


def _read(path: str | os.PathLike[str], who: str, *, arrays: bool) -> tuple[dict[str, Any], Any]:
    return read_tensors(
        path, who, f"reading {os.fspath(path)!r}", _HEADER_KEY, FORMAT_VERSION, arrays=arrays
    )


def read_metadata(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What a model file says about itself, without reading its arrays.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    dict
        `estimator`, `params`, `classes`, `feature_names` (None where there are none),
        `n_features`, `backend`, `stop_reason`, `xpfit_version`, `format_version`, and
        `metadata`, what was given to `save`.

    Raises
    ------
    ModelFileError
        As `load`.

    Examples
    --------
    >>> import os, tempfile
    >>> from xpfit import LinearRegression
    >>> from xpfit.estimators import read_metadata
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.safetensors")
    ...     LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]).save(path, {"data": "two points"})
    ...     read_metadata(path)["metadata"]
    {'data': 'two points'}
    """
    content, _ = _read(path, "read_metadata", arrays=False)
    try:
        attributes = {key: decode_value(value) for key, value in content["attributes"].items()}
        return {
            "estimator": content["estimator"],
            "params": {key: decode_value(value) for key, value in content["params"].items()},
            "classes": attributes.get("classes_"),
            "feature_names": attributes.get("feature_names_in_"),
            "n_features": attributes.get("n_features_in_"),
            "backend": attributes.get("backend_"),
            "stop_reason": attributes.get("stop_reason_"),
            "xpfit_version": content["xpfit_version"],
            "format_version": content["format_version"],
            "metadata": content["metadata"],
        }
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        asked = f"reading {os.fspath(path)!r}"
        raise damaged(asked, "read_metadata", problem) from problem


def load(path: str | os.PathLike[str]) -> Any:
    """The fitted estimator that `estimator.save(path)` wrote, on a machine with NumPy alone.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    One of the estimators, fitted. `result_` is not kept in files; all other attributes are.

    Raises
    ------
    ModelFileError
        For a missing, damaged or foreign file, a newer format, an unknown class, coefficients
        that are NaN or infinite.

    Examples
    --------
    >>> import os, tempfile
    >>> from xpfit import LinearRegression, load
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.safetensors")
    ...     LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]).save(path)
    ...     load(path).predict([[3.0]]).round(6).tolist()
    [3.0]
    """
    asked = f"reading {os.fspath(path)!r}"
    content, tensors = _read(path, "load", arrays=True)
    name = content.get("estimator")
    if name not in _CLASSES:
        raise file_error(
            asked, "load", f"it holds a model of class {name!r}, which xpfit {__version__} does "
            f"not know; it knows {', '.join(_CLASSES)}", "upgrade xpfit, or check the file",
        )  # fmt: skip
    _refuse_nonfinite(tensors, asked)
    try:
        params = {key: decode_value(value) for key, value in content["params"].items()}
        estimator = _class_of(name)(**params)
        values = {key: decode_value(value) for key, value in content["attributes"].items()}
        for attribute, value in {**values, **tensors}.items():
            if not _FITTED.fullmatch(attribute):
                message = f"{attribute!r} is not the name of a fitted attribute"
                raise ValueError(message)
            is_scalar = isinstance(value, np.ndarray) and value.ndim == 0
            setattr(estimator, attribute, value[()] if is_scalar else value)
        estimator._check_loaded()
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise damaged(asked, "load", problem) from problem
    return estimator
