"""``xpfit predict``: load, encode, predict, score, write."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import typer
from numpy.typing import NDArray

from ..data import DataError, Table, TableEncoder, read_table, read_target
from .console import say_warning, stderr, stdout, table
from .fitting import classes_of, evaluate
from .models import predicts_classes
from .output import MODEL_FILE, check_writable, new_file
from .scores import score_rows
from .training import METADATA_KEY

FORMATS = (".csv", ".parquet")


@dataclass(frozen=True)
class LoadedModel:
    """A model file of ``xpfit train``.

    Parameters
    ----------
    estimator : estimator
    encoder : TableEncoder
    name, target : str
    target_is_text : bool
    """

    estimator: Any
    encoder: TableEncoder
    name: str
    target: str
    target_is_text: bool


def check_file(out: Path | None, overwrite: bool) -> None:
    """Refuse a file of an unknown format, or one that is there already.

    Raises
    ------
    typer.BadParameter
        A usage error: exit code 2.

    Examples
    --------
    >>> check_file(Path("predicted-nowhere.csv"), overwrite=False)
    """
    if out is None:
        return
    if out.suffix.lower() not in FORMATS:
        message = f"{out} must end in {' or '.join(FORMATS)}"
        raise typer.BadParameter(message, param_hint="--out")
    check_writable(out)
    if out.is_dir():
        message = f"{out} is a folder; name a file"
        raise typer.BadParameter(message, param_hint="--out")
    if out.exists() and not overwrite:
        message = f"{out} exists; use --overwrite, or another name"
        raise typer.BadParameter(message, param_hint="--out")


def load_model(path: Path) -> LoadedModel:
    """Load the model, given its folder or file.

    Raises
    ------
    DataError
        When there is no model, or one that ``xpfit train`` did not write.
    ModelFileError
        When the file is damaged or no model at all.
    """
    from ..estimators import load, read_metadata

    file = path / MODEL_FILE if path.is_dir() else path
    if not file.exists():
        raise DataError(str(file), "the file does not exist", "name what xpfit train wrote")
    state = (read_metadata(file)["metadata"] or {}).get(METADATA_KEY)
    if state is None:
        reason = "it was saved from Python and does not say how columns become features"
        raise DataError(str(file), reason, "load it with xpfit.load, or train with xpfit train")
    # rows of a file lie in host memory, and the model may come from a machine with another library
    estimator = load(file).set_params(backend=None)
    return LoadedModel(
        estimator,
        TableEncoder.from_dict(state["encoder"]),
        str(state["model"]),
        str(state["target"]),
        bool(state["target_is_text"]),
    )


def run_predict(model: Path, data: Path, out: Path | None, *, proba: bool) -> None:
    """Do what ``xpfit predict`` does.

    Parameters
    ----------
    model, data : Path
    out : Path, optional
        Without it, CSV goes to standard output and everything else to standard error.
    proba : bool
        Add the probability of each class.

    Raises
    ------
    DataError
        When the model or the data cannot be used.
    """
    loaded = load_model(model)
    if proba and not predicts_classes(loaded.name):
        asked = f"--proba of {model}"
        raise DataError(asked, f"a {loaded.name} model predicts numbers", "leave --proba out")
    text = [column.name for column in loaded.encoder.categories]
    text += [loaded.target] if loaded.target_is_text else []
    rows = read_table(data, text)
    X = loaded.encoder.transform(rows)
    columns: dict[str, NDArray[Any]] = {"prediction": np.asarray(loaded.estimator.predict(X))}
    if proba:
        probability = np.asarray(loaded.estimator.predict_proba(X))
        for position, label in enumerate(loaded.estimator.classes_):
            columns[f"probability of {label}"] = probability[:, position]
    for name, count in loaded.encoder.unseen(rows).items():
        say_warning(f"column {name!r}: {count} row(s) with text that training did not have")
    _write(columns, out)
    console = stderr() if out is None else stdout()
    if out is not None:
        console.print(f"{rows.n_rows:,} predictions written to {out}", soft_wrap=True, markup=False)
    if rows.has(loaded.target):
        scores, n_scored = _score(loaded, rows, X)
        if scores:
            title = f"Metrics of {n_scored:,} rows with {loaded.target!r}"
            console.print(table(title, ("", "here"), score_rows({"here": scores})))


def _score(loaded: LoadedModel, rows: Table, X: Any) -> tuple[dict[str, float], int]:
    """Score the rows that have a target that the model knows."""
    try:
        target = read_target(rows, loaded.target, "the model")
    except DataError as error:
        say_warning(f"no scores: {error}")
        return {}, 0
    y, kept = target.values, target.kept
    if predicts_classes(loaded.name):
        classes = classes_of(loaded.estimator)
        if (classes.dtype.kind == "U") != target.is_text:
            say_warning(f"no scores: {loaded.target!r} is of another type than in training")
            return {}, 0
        known = np.isin(y, classes)
        if not known.all():
            say_warning(f"{int((~known).sum())} row(s) of unknown classes were not scored")
        y, kept = y[known], kept[known]
    elif target.is_text:
        say_warning(f"no scores: {loaded.target!r} holds text, and the model predicts numbers")
        return {}, 0
    else:
        y = y.astype(np.float64)
    if not kept.size:
        return {}, 0
    return evaluate(loaded.estimator, loaded.name, X[kept], y).scores, int(kept.size)


def _write(columns: dict[str, NDArray[Any]], out: Path | None) -> None:
    """Write a file in one step, or CSV to standard output."""
    import pyarrow as pa
    from pyarrow import csv, parquet

    made = pa.table({name: pa.array(values.tolist()) for name, values in columns.items()})
    if out is None:
        sink = pa.BufferOutputStream()
        csv.write_csv(made, sink)
        sys.stdout.write(sink.getvalue().to_pybytes().decode("utf-8"))
        sys.stdout.flush()
        return
    with new_file(out) as path:
        if out.suffix.lower() == ".csv":
            csv.write_csv(made, path)
        else:
            parquet.write_table(made, path)
