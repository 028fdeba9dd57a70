"""From a file to matrices: the first half of ``xpfit train``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import (
    DataError,
    Split,
    Table,
    TableEncoder,
    Target,
    random_split,
    read_table,
    read_target,
    split_by_column,
)
from ..data.errors import listed_columns
from ..data.split import looks_like_split
from ..data.target import Task, check_target
from .models import MODELS, ModelOptions, check_options, choose_model


@dataclass(frozen=True)
class DataOptions:
    """What the user said about the data.

    Parameters
    ----------
    path : Path
    target : str, optional
        The target column; npz and LIBSVM files name their own.
    drop : tuple of str
        Columns to leave out.
    split_column : str, optional
        The column that says train or test.
    test_size : float
    seed : int

    Examples
    --------
    >>> DataOptions(Path("adult.csv.gz"), "income").test_size
    0.25
    """

    path: Path
    target: str | None = None
    drop: tuple[str, ...] = ()
    split_column: str | None = None
    test_size: float = 0.25
    seed: int = 0


@dataclass(frozen=True)
class Prepared:
    """Everything that is known before the fit.

    Parameters
    ----------
    table : Table
        Rows with a target; its ``names`` are the features.
    target : Target
    split : Split
    encoder : TableEncoder
        Fitted on the training rows only.
    model, reason : str
        The model, and why this one.
    X_train, X_test : ndarray or CSR matrix
    y_train, y_test : ndarray
    notes : tuple of str
        What was decided or left out.
    """

    table: Table
    target: Target
    split: Split
    encoder: TableEncoder
    model: str
    reason: str
    X_train: Any
    y_train: NDArray[Any]
    X_test: Any
    y_test: NDArray[Any]
    notes: tuple[str, ...]

    @property
    def task(self) -> Task:
        """``"classification"`` or ``"regression"``."""
        return MODELS[self.model].task


def prepare(options: DataOptions, model_options: ModelOptions) -> Prepared:
    """Read, split and encode.

    Parameters
    ----------
    options : DataOptions
    model_options : ModelOptions

    Raises
    ------
    DataError
        When the data cannot be used.
    typer.BadParameter
        When an option does not fit the model that was chosen.
    """
    table = read_table(options.path).without(options.drop, "--drop")
    name = options.target or table.default_target
    if name is None:
        asked = f"the target of {table.source}"
        remedy = f"say --target COLUMN; the columns are {listed_columns(table.names)}"
        raise DataError(asked, "this format does not name one", remedy)
    target = read_target(table, name)
    table = table.without([name])
    if target.n_missing:
        table = table.rows(target.kept)
    model, reason = choose_model(target, model_options)
    check_options(model, model_options)
    task = MODELS[model].task
    check_target(target, task, table.source)
    if model == "poisson" and target.values.min() < 0:
        reason = "it has negative values, and the Poisson model counts"
        asked = f"target {name!r} of {table.source}"
        raise DataError(asked, reason, "use --model ridge or huber")
    split, table, notes = _split(table, target, task, options)
    split, unseen = _without_unseen(split, target, task)
    check_target(_part(target, split.train), task, f"the training rows of {table.source}")
    encoder = TableEncoder.fit(table, split.train)
    y = target.values if task == "classification" else target.values.astype(np.float64)
    return Prepared(
        table=table,
        target=target,
        split=split,
        encoder=encoder,
        model=model,
        reason=reason,
        X_train=encoder.transform(table, split.train),
        y_train=y[split.train],
        X_test=encoder.transform(table, split.test),
        y_test=y[split.test],
        notes=tuple(
            note
            for note in (
                target.note,
                *table.notes,
                *notes,
                unseen,
                *(f"column {n!r} left out: it {why}" for n, why in encoder.dropped.items()),
                *encoder.notes,
            )
            if note
        ),
    )


def _part(target: Target, rows: NDArray[np.intp]) -> Target:
    return replace(target, values=target.values[rows], kept=target.kept[rows])


def _split(
    table: Table, target: Target, task: Task, options: DataOptions
) -> tuple[Split, Table, list[str]]:
    """Hold rows out, and keep columns that only say which part a row is in out of the features."""
    name = options.split_column or ("split" if "split" in table.aside else None)
    if name is not None:
        split = split_by_column(table, name)
        table = table.without([name])
    else:
        classes = target.values if task == "classification" else None
        split = random_split(table.n_rows, options.test_size, options.seed, classes)
    telling = [other for other in table.names if looks_like_split(table, other)]
    notes = [
        f"column {other!r} says train or test and was left out; --split-column {other} would use it"
        for other in telling
    ]
    return split, table.without(telling), notes


def _without_unseen(split: Split, target: Target, task: Task) -> tuple[Split, str]:
    """Leave out held-out rows of a class that training does not have: no score is defined."""
    if task != "classification" or not split.test.size:
        return split, ""
    known = np.isin(target.values[split.test], np.unique(target.values[split.train]))
    if known.all():
        return split, ""
    note = f"{int((~known).sum())} held-out row(s) of classes without training rows were left out"
    return replace(split, test=split.test[known]), note
