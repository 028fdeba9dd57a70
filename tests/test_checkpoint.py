"""A fit by epochs that is cut off goes on from its checkpoint to the same result, bit for bit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from sgd_data import binary, numeric, quietly, three_classes

from xpfit import MLPClassifier, MLPRegressor, SGDClassifier, SGDRegressor
from xpfit.core import epochs
from xpfit.estimators import ModelFileError

OPTIONS: dict[str, Any] = {
    "optimizer": "adam", "eta0": 0.02, "batch_size": 16, "average": 30, "early_stopping": True,
    "tol": None, "random_state": None,
}  # fmt: skip
ATTRIBUTES = ("coef_", "intercept_", "loss_history_", "validation_loss_history_")


@pytest.fixture(autouse=True)
def every_epoch_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epochs, "KEEP_SECONDS", 0.0)


def same(found: Any, expected: Any) -> None:
    for name in ATTRIBUTES:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert (found.t_, found.n_iter_) == (expected.t_, expected.n_iter_)


@pytest.mark.parametrize("backend", ["numpy", "numba", "jax"])
@pytest.mark.parametrize("data", [binary, three_classes])
def test_a_longer_fit_goes_on_from_a_shorter_one(tmp_path: Path, data: Any, backend: str) -> None:
    X, y = data()
    options = {**OPTIONS, "random_state": 5, "backend": backend}
    whole = quietly(SGDClassifier(max_iter=7, **options), X, y)
    kept = {"checkpoint": tmp_path / "fit.ckpt", "resume": True}
    quietly(SGDClassifier(max_iter=3, **options, **kept), X, y)
    same(quietly(SGDClassifier(max_iter=7, **options, **kept), X, y), whole)
    # Nothing is left to do: the same once more.
    same(quietly(SGDClassifier(max_iter=7, **options, **kept), X, y), whole)


@pytest.mark.parametrize("cls", [SGDClassifier, SGDRegressor, MLPClassifier, MLPRegressor])
def test_a_path_that_cannot_be_written_is_refused_before_the_first_epoch(
    tmp_path: Path, cls: Any
) -> None:
    X, y = binary()
    (tmp_path / "file").write_text("")
    told: list[Any] = []
    for path, why in [
        (tmp_path / "nowhere" / "fit.ckpt", "No such file or directory"),
        (tmp_path / "file" / "fit.ckpt", "Not a directory"),
        (tmp_path, "it is a folder"),
    ]:
        model = cls(max_iter=2, checkpoint=path, callbacks=told.append)
        with pytest.raises(ModelFileError, match=rf"{cls.__name__}.*{why}.*What to do"):
            model.fit(X, y)
        assert not hasattr(model, "n_iter_")
    assert told == []
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_interrupted_fit_without_a_seed_goes_on(tmp_path: Path) -> None:
    X, y = numeric()
    kept = {"checkpoint": str(tmp_path / "fit.ckpt"), "resume": True}

    def stop(record: Any) -> None:
        if record.iteration == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        SGDRegressor(max_iter=9, callbacks=stop, **OPTIONS, **kept).fit(X, y)
    found = quietly(SGDRegressor(max_iter=9, **OPTIONS, **kept), X, y)
    assert found.n_iter_ == 9
    # What was drawn is in the file: the rows held out, and what is drawn next.
    again = quietly(SGDRegressor(max_iter=9, **OPTIONS, **kept), X, y)
    same(again, found)


def test_the_adaptive_rate_and_patience_go_on(tmp_path: Path) -> None:
    X, y = numeric()
    options = {
        "learning_rate": "adaptive", "eta0": 0.02, "n_iter_no_change": 2, "random_state": 0,
        "backend": "numba",
    }  # fmt: skip
    whole = SGDRegressor(**options).fit(X, y)
    kept = {"checkpoint": tmp_path / "fit.ckpt", "resume": True}
    for max_iter in (whole.n_iter_ // 3, whole.n_iter_ // 2, 1000):
        found = quietly(SGDRegressor(max_iter=max_iter, **options, **kept), X, y)
    same(found, whole)
    assert found.stop_reason_ == "no improvement"


KILLED = """
import sys, time
sys.path.insert(0, {tests!r})
from sgd_data import binary
from xpfit import SGDClassifier
from xpfit.core import epochs
epochs.KEEP_SECONDS = 0.0
X, y = binary()
SGDClassifier(max_iter=400, checkpoint={path!r}, callbacks=lambda record: time.sleep(0.01),
              **{options!r}).fit(X, y)
"""


def test_killed_in_the_middle(tmp_path: Path) -> None:
    X, y = binary()
    options = {**OPTIONS, "random_state": 1, "backend": "numpy"}
    path = tmp_path / "fit.ckpt"
    code = KILLED.format(tests=str(Path(__file__).parent), path=str(path), options=options)
    process = subprocess.Popen([sys.executable, "-P", "-c", code], env=dict(os.environ))
    try:
        waited = time.monotonic() + 60.0
        while not path.exists() and time.monotonic() < waited:
            time.sleep(0.01)
        time.sleep(0.1)
        assert process.poll() is None
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    resumed = quietly(SGDClassifier(max_iter=400, checkpoint=path, resume=True, **options), X, y)
    same(resumed, quietly(SGDClassifier(max_iter=400, **options), X, y))
    # Nothing half written is left behind.
    assert [entry.name for entry in tmp_path.iterdir() if entry.name == "fit.ckpt"] == ["fit.ckpt"]


def test_without_resume_the_fit_begins_anew(tmp_path: Path) -> None:
    X, y = binary()
    path = tmp_path / "fit.ckpt"
    options = {**OPTIONS, "random_state": 5, "max_iter": 2}
    first = quietly(SGDClassifier(checkpoint=path, **options), X, y)
    # A resumed fit would have no epoch left to take.
    records: list[Any] = []
    same(quietly(SGDClassifier(checkpoint=path, callbacks=records.append, **options), X, y), first)
    assert len(records) == 2


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"alpha": 0.5}, "alpha was 0.0001, and is 0.5"),
        ({"optimizer": "adamw"}, "optimizer was 'adam', and is 'adamw'"),
        ({"backend": "numba"}, "backend was numpy, and is numba"),
    ],
)
def test_another_fit_is_refused(tmp_path: Path, change: dict[str, Any], text: str) -> None:
    X, y = binary()
    options = {**OPTIONS, "max_iter": 2, "checkpoint": tmp_path / "fit.ckpt", "backend": "numpy"}
    quietly(SGDClassifier(**options), X, y)
    with pytest.raises(ModelFileError, match=text):
        SGDClassifier(**{**options, **change, "resume": True}).fit(X, y)


def test_other_data_are_refused(tmp_path: Path) -> None:
    X, y = binary()
    options = {**OPTIONS, "max_iter": 2, "checkpoint": tmp_path / "fit.ckpt", "resume": True}
    quietly(SGDClassifier(**options), X, y)
    for other, labels, weight in (
        (X[:-1], y[:-1], None), (X, 1 - y, None), (X + 1.0, y, None), (X, y, np.full(len(y), 2.0)),
        (scipy.sparse.csr_matrix(X), y, None),
    ):  # fmt: skip
        with pytest.raises(ModelFileError, match="checkpoint of another fit"):
            SGDClassifier(**options).fit(other, labels, sample_weight=weight)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"\x08" + b"\0" * 7 + b"{}      "])
def test_a_damaged_file_is_refused_before_any_work(tmp_path: Path, content: bytes) -> None:
    X, y = binary()
    path = tmp_path / "fit.ckpt"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match="resuming from"):
        SGDClassifier(checkpoint=path, resume=True, **OPTIONS).fit(X, y)
    assert path.read_bytes() == content


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    X, y = binary()
    with pytest.raises(ModelFileError, match="check that the folder exists"):
        SGDClassifier(checkpoint=tmp_path / "no" / "fit.ckpt", max_iter=2, **OPTIONS).fit(X, y)
