"""Targets, tasks and held-out rows."""

from __future__ import annotations

import numpy as np
import pytest

from xpfit.data import (
    Categories,
    DataError,
    Table,
    Target,
    choose_task,
    random_split,
    read_target,
    split_by_column,
)
from xpfit.data.split import looks_like_split
from xpfit.data.target import check_target


def table_with(name, column):
    if isinstance(column, Categories):
        n_rows = len(column.codes)
        return Table("demo", (name,), np.empty((n_rows, 0)), {}, {name: column})
    block = np.asarray(column, dtype=np.float64)[:, None]
    return Table("demo", (name,), block, {name: 0})


def text(values):
    levels = tuple(sorted({value for value in values if value}))
    codes = [levels.index(value) if value else -1 for value in values]
    return Categories(np.array(codes, dtype=np.int32), levels)


def target_of(values):
    values = np.asarray(values)
    return Target("y", values, np.arange(len(values)), 0)


def test_missing_targets_are_dropped_and_counted():
    target = read_target(table_with("y", text(["a", "", "b", ""])), "y")
    assert target.values.tolist() == ["a", "b"]
    assert target.kept.tolist() == [0, 2]
    assert target.note == "2 row(s) without a value of 'y' were left out"


def test_whole_numbers_become_integers():
    assert read_target(table_with("y", [1.0, np.nan, 0.0]), "y").values.dtype == np.int64
    assert read_target(table_with("y", [1.0, 0.5]), "y").values.dtype == np.float64


def test_unknown_target_suggests_close_names():
    with pytest.raises(DataError) as caught:
        read_target(table_with("income", [1.0, 2.0]), "incme")
    message = str(caught.value)
    assert message.startswith("column 'incme' of demo (asked by --target): there is no such column")
    assert "did you mean 'income'?" in message


@pytest.mark.parametrize(
    ("values", "text_"),
    [([np.nan, np.nan], "every value is missing"), ([1.0, np.inf], "1 infinite value(s)")],
)
def test_unusable_targets(values, text_):
    with pytest.raises(DataError) as caught:
        read_target(table_with("y", values), "y")
    assert text_ in str(caught.value)


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (["a", "b"], "classification"),
        ([0, 1], "classification"),
        ([0.5, 1.5, 0.5], "classification"),
        (list(range(7)) * 5, "classification"),
        (list(range(7)), "regression"),
        (list(range(21)) * 50, "regression"),
        ([0.5, 1.5, 2.5] * 50, "regression"),
    ],
)
def test_task_is_chosen_by_the_values(values, task):
    chosen, reason = choose_task(target_of(values))
    assert chosen == task
    assert "'y'" in reason


@pytest.mark.parametrize(
    ("values", "task", "text_"),
    [
        ([3, 3, 3], "classification", "it has one value only, 3, in all 3 rows"),
        (["a", "b"], "regression", "it is text ('a', 'b'), and a regression needs numbers"),
        (["a", "b", "c", "d"], "classification", "it has 4 classes in 4 rows"),
        (list(range(50)), "classification", "--model ridge"),
    ],
)
def test_hopeless_targets_are_refused(values, task, text_):
    with pytest.raises(DataError) as caught:
        check_target(target_of(values), task, "demo")
    assert text_ in str(caught.value)


def test_random_split_is_seeded_stratified_and_complete():
    classes = np.array(["rare"] * 8 + ["often"] * 92)
    split = random_split(100, 0.25, seed=3, classes=classes)
    assert sorted([*split.train, *split.test]) == list(range(100))
    assert (classes[split.test] == "rare").sum() == 2
    assert len(split.test) == 25
    again = random_split(100, 0.25, seed=3, classes=classes)
    np.testing.assert_array_equal(split.test, again.test)
    other = random_split(100, 0.25, seed=4, classes=classes)
    assert not np.array_equal(split.test, other.test)


def test_a_class_of_one_row_stays_in_training():
    split = random_split(9, 0.5, classes=np.array([0] * 8 + [1]))
    assert 8 in split.train


def test_no_rows_held_out():
    assert random_split(5, 0.0).test.size == 0
    with pytest.raises(DataError, match="no row would be held out"):
        random_split(3, 0.1)


def test_split_column():
    split = split_by_column(table_with("part", text(["train", "Test", "train"])), "part")
    assert split.train.tolist() == [0, 2]
    assert split.test.tolist() == [1]


@pytest.mark.parametrize(
    ("column", "text_"),
    [
        (text(["train", "later"]), "it also holds 'later'"),
        (text(["train", "test", ""]), "1 missing value(s)"),
        (text(["train", "train"]), "no row that says test"),
        (text(["test", "test"]), "no row that says train"),
        ([0.0, 1.0], "it holds numbers"),
    ],
)
def test_bad_split_columns(column, text_):
    with pytest.raises(DataError) as caught:
        split_by_column(table_with("part", column), "part")
    message = str(caught.value)
    assert text_ in message
    assert "(asked by --split-column)" in message


def test_split_columns_are_recognised():
    assert looks_like_split(table_with("s", text(["train", "test"])), "s")
    assert not looks_like_split(table_with("s", text(["train", "plane"])), "s")
    assert not looks_like_split(table_with("s", [1.0, 2.0]), "s")
