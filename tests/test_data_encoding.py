"""Tables become matrices, and the way back through JSON loses nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import sparse

from xpfit.data import Categories, DataError, Table, TableEncoder


def categories(values):
    levels = tuple(sorted({value for value in values if value is not None}))
    codes = [-1 if value is None else levels.index(value) for value in values]
    return Categories(np.array(codes, dtype=np.int32), levels)


def table_of(numeric=None, text=None, source="demo"):
    numeric, text = numeric or {}, text or {}
    columns = [np.asarray(values, dtype=np.float64) for values in numeric.values()]
    n_rows = len(next(iter([*columns, *text.values()])))
    block = np.column_stack(columns) if columns else np.empty((n_rows, 0))
    position = {name: j for j, name in enumerate(numeric)}
    made = {name: categories(values) for name, values in text.items()}
    return Table(source, (*numeric, *text), block, position, made)


def test_numbers_are_standardized_on_the_training_rows_only():
    table = table_of({"x": [1.0, 3.0, 1000.0]})
    encoder = TableEncoder.fit(table, np.array([0, 1]))
    np.testing.assert_allclose(encoder.transform(table).ravel(), [-1, 1, 998])


def test_missing_numbers_become_the_median_and_an_indicator():
    table = table_of({"x": [1.0, np.nan, 3.0, 11.0], "z": [0.0, 1.0, 2.0, 4.0]})
    encoder = TableEncoder.fit(table)
    assert encoder.feature_names == ("x", "z", "x (missing)")
    X = encoder.transform(table)
    np.testing.assert_array_equal(X[:, 2], [0, 1, 0, 0])
    filled = np.array([1, 3, 3, 11.0])
    np.testing.assert_allclose(X[:, 0], (filled - filled.mean()) / filled.std())


def test_missing_numbers_that_training_did_not_have_become_the_median():
    encoder = TableEncoder.fit(table_of({"x": [1.0, 2.0, 6.0]}))
    X = encoder.transform(table_of({"x": [2.0, np.nan]}))
    assert X.shape == (2, 1)
    assert X[0, 0] == X[1, 0]


def test_categories_missing_and_unseen():
    encoder = TableEncoder.fit(table_of(text={"job": ["cook", None, "smith", "cook"]}))
    assert encoder.feature_names == ("job=cook", "job=smith", "job=(missing)")
    new = table_of(text={"job": ["smith", "baker", None]})
    np.testing.assert_array_equal(encoder.transform(new), [[0, 1, 0], [0, 0, 0], [0, 0, 1]])
    assert encoder.unseen(new) == {"job": 1}


def test_many_levels_keep_the_frequent_ones_and_others():
    values = [f"v{i % 150:03d}" for i in range(3000)] + ["v000"] * 20
    encoder = TableEncoder.fit(table_of(text={"code": values}))
    names = encoder.feature_names
    assert len(names) == 101
    assert names[-1] == "code=(other)"
    X = encoder.transform(table_of(text={"code": ["v000", "never"]}))
    assert names[int(X[0].argmax())] == "code=v000"
    assert X[1].tolist() == [0.0] * 100 + [1.0]
    assert "100 most frequent of 150" in encoder.notes[0]


def test_identifiers_and_constants_are_dropped_with_a_reason():
    table = table_of(
        {"x": range(30), "same": [5] * 30, "empty": [np.nan] * 30},
        {"id": [f"n{i}" for i in range(30)], "one": ["a"] * 30},
    )
    encoder = TableEncoder.fit(table)
    assert encoder.feature_names == ("x",)
    assert encoder.dropped["same"] == "is constant (5)"
    assert encoder.dropped["empty"] == "has no value in the training rows"
    assert encoder.dropped["one"] == "is constant ('a')"
    assert "identifier" in encoder.dropped["id"]
    assert "counts the rows" in encoder.notes[0]


def test_nothing_left_to_learn_from():
    with pytest.raises(DataError, match=r"no column is left to learn from \('a' is constant"):
        TableEncoder.fit(table_of({"a": [1.0, 1.0]}))


def test_infinities_are_named_by_column():
    table = table_of({"good": [1.0, 2.0], "bad": [1.0, np.inf]})
    with pytest.raises(DataError, match=r"infinite values in 1 column\(s\): 'bad'"):
        TableEncoder.fit(table)
    encoder = TableEncoder.fit(table.without(["bad"]))
    with pytest.raises(DataError, match="'good'"):
        encoder.transform(table_of({"good": [-np.inf, 1.0]}))


def test_absent_columns_and_text_in_place_of_numbers():
    encoder = TableEncoder.fit(table_of({"x": [1.0, 2.0]}, {"t": ["a", "b"]}))
    with pytest.raises(DataError, match=r"column\(s\) 't' in demo: the model was trained on them"):
        encoder.transform(table_of({"x": [1.0]}))
    with pytest.raises(DataError, match=r"it holds 'oops' \(data row 1\)"):
        encoder.transform(table_of(text={"x": ["oops"], "t": ["a"]}))


def test_numbers_in_place_of_text_match_their_text():
    encoder = TableEncoder.fit(table_of(text={"code": ["1", "2", "x"]}))
    X = encoder.transform(table_of({"code": [2.0, np.nan, 1.0]}))
    np.testing.assert_array_equal(X, [[0, 1, 0], [0, 0, 0], [1, 0, 0]])


def test_state_survives_json():
    table = table_of(
        {"x": [1.0, np.nan, 3.0], "z": [0.1, 0.2, 0.4]}, {"t": ["a", None, "b"], "c": ["k"] * 3}
    )
    encoder = TableEncoder.fit(table)
    back = TableEncoder.from_dict(json.loads(json.dumps(encoder.to_dict())))
    assert back == encoder
    np.testing.assert_array_equal(back.transform(table), encoder.transform(table))
    with pytest.raises(DataError, match="it has format 99"):
        TableEncoder.from_dict({**encoder.to_dict(), "format": 99})


def test_rows_are_chosen_and_column_order_of_the_new_file_does_not_matter():
    table = table_of({"x": [1.0, 2.0, 4.0], "z": [5.0, 7.0, 6.0]}, {"t": ["a", "b", "a"]})
    encoder = TableEncoder.fit(table)
    turned = table_of({"z": [5.0, 7.0, 6.0], "x": [1.0, 2.0, 4.0]}, {"t": ["a", "b", "a"]})
    np.testing.assert_array_equal(
        encoder.transform(turned, np.array([2, 0])), encoder.transform(table)[[2, 0]]
    )


def test_long_tables_are_standardized_in_blocks_without_a_seam():
    x = np.random.default_rng(0).normal(3.0, 2.0, size=(600_000, 1))
    table = Table("demo", ("x",), x, {"x": 0})
    X = TableEncoder.fit(table).transform(table)
    np.testing.assert_allclose(X, (x - x.mean()) / x.std(), rtol=0, atol=1e-12)


def test_wide_categories_become_csr_with_the_same_values():
    rng = np.random.default_rng(0)
    text = {f"c{k}": [f"v{v}" for v in rng.integers(0, 90, 2000)] for k in range(25)}
    table = table_of({"x": rng.normal(size=2000)}, text)
    encoder = TableEncoder.fit(table)
    X = encoder.transform(table)
    assert sparse.issparse(X)
    assert X.shape[1] == len(encoder.feature_names) > 2000
    state = {**encoder.to_dict(), "sparse": False}
    np.testing.assert_allclose(X.toarray(), TableEncoder.from_dict(state).transform(table))


def sparse_table(rows, absent_is_zero=True):
    block = sparse.csr_matrix(np.asarray(rows, dtype=np.float64))
    names = tuple(f"x{j + 1}" for j in range(block.shape[1]))
    position = {name: j for j, name in enumerate(names)}
    return Table("demo.svm", names, block, position, absent_is_zero=absent_is_zero)


def test_sparse_files_are_scaled_and_stay_sparse():
    rows = np.zeros((20, 10))
    rows[0, 1], rows[3, 1], rows[5, 9] = 4, -8, 0.5
    encoder = TableEncoder.fit(sparse_table(rows))
    X = encoder.transform(sparse_table(rows))
    assert sparse.issparse(X)
    assert encoder.feature_names == ("x2", "x10")
    np.testing.assert_array_equal(X.toarray()[[0, 3, 5]], [[0.5, 0], [-1, 0], [0, 1]])
    narrow = encoder.transform(sparse_table(rows[:, :4]))
    np.testing.assert_array_equal(narrow.toarray(), X.toarray() * [1, 0])
    with pytest.raises(DataError, match="'x10'"):
        encoder.transform(sparse_table(rows[:, :4], absent_is_zero=False))


def test_full_sparse_files_are_standardized():
    rows = np.arange(1.0, 9.0).reshape(4, 2)
    X = TableEncoder.fit(sparse_table(rows)).transform(sparse_table(rows))
    np.testing.assert_allclose(X, (rows - rows.mean(axis=0)) / rows.std(axis=0))
