"""Dates and times in X or y are named with column and row, whatever library holds them."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from xpfit import LogisticRegression, MLPClassifier, Ridge, SGDRegressor

N = 30
A = np.random.default_rng(0).normal(size=N)
Y = np.arange(N) % 2
DAYS = np.datetime64("2020-01-01") + np.arange(N)
MODELS = [Ridge(), LogisticRegression(), MLPClassifier(max_iter=1, tol=None)]


def frame(when: Any) -> pd.DataFrame:
    return pd.DataFrame({"a": A, "when": when})


def objects() -> np.ndarray:
    found = np.empty((N, 2), dtype=object)
    found[:, 0], found[:, 1] = A, DAYS.astype(object)
    found[:4, 1] = 0.0
    return found


ZONED = pd.date_range("2020-01-01", periods=N, tz="UTC")
TABLES: list[tuple[Any, str]] = [
    (DAYS[:, None], "'2020-01-01' in column 0, row 0"),
    ((DAYS - DAYS[0])[:, None], "'0 days' in column 0, row 0"),
    (frame(DAYS), "'2020-01-01 00:00:00' in column 1 'when', row 0"),
    (frame(DAYS)[["when"]], "'2020-01-01 00:00:00' in column 0 'when', row 0"),
    (frame(DAYS - DAYS[0]), "'0 days 00:00:00' in column 1 'when', row 0"),
    (frame(ZONED), r"'2020-01-01 00:00:00\+00:00' in column 1 'when', row 0"),
    (frame(ZONED.tz_localize(None).to_period("M")), "'2020-01' in column 1 'when', row 0"),
    (pl.DataFrame({"when": DAYS.astype(object), "a": A}), "'2020-01-01' in column 0 'when', row 0"),
    (pa.table({"a": A, "when": DAYS}), "'2020-01-01' in column 1 'when', row 0"),
    (objects(), "'2020-01-05' in column 1, row 4"),
    (objects().tolist(), "'2020-01-05' in column 1, row 4"),
]  # fmt: skip


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_dates_in_x_are_named(model: Any) -> None:
    for X, place in TABLES:
        told = rf"^{type(model).__name__}: X holds dates or times, {place}\. Make numbers of such"
        with pytest.raises(ValueError, match=told):
            model.fit(X, Y)
    model.fit(np.column_stack([A, A]), Y)
    with pytest.raises(ValueError, match="X holds dates or times, '2020-01-05' in column 1, row 4"):
        model.predict(objects())


@pytest.mark.parametrize("model", [Ridge(), SGDRegressor()], ids=str)
@pytest.mark.parametrize(
    "y",
    [DAYS, DAYS - DAYS[0], pd.Series(DAYS), pd.Series(ZONED), [datetime.date(2020, 1, 1)] * N],
    ids=["days", "spans", "pandas", "zoned", "list"],
)
def test_dates_as_a_target_are_named(model: Any, y: Any) -> None:
    told = rf"^{type(model).__name__}: y holds dates or times, '.*' in row 0\. Pass numbers, such"
    with pytest.raises(ValueError, match=told):
        model.fit(A[:, None], y)


def test_columns_of_other_names_and_types_are_read() -> None:
    named = pd.DataFrame({"date": A, "time": A.astype(np.float32), "kind": Y.astype(bool)})
    assert Ridge().fit(named, Y).n_features_in_ == 3
    assert Ridge().fit(pl.DataFrame({"date": A, "time": Y}), Y).n_features_in_ == 2
