"""``xpfit train``: prepare, fit, score, tell, write."""

from __future__ import annotations

import math
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import typer

from .. import __version__
from ..core.text_table import bytes_text
from .console import Stages, pairs, say_warning, stdout, table
from .fitting import Fitted, Outcome, evaluate, fit
from .models import ModelOptions
from .output import MODEL_FILE, REPORT_FILE, SUMMARY_FILE, new_folder, write_json
from .preparing import DataOptions, Prepared, prepare
from .scores import score_rows

METADATA_KEY = "xpfit_cli"


def run_train(
    data: DataOptions, options: ModelOptions, out: Path, *, quiet: bool, report: bool
) -> None:
    """Do what ``xpfit train`` does.

    Parameters
    ----------
    data, options : DataOptions, ModelOptions
    out : Path
        The folder; it appears when everything in it is complete.
    quiet : bool
        Print nothing.
    report : bool
        Write ``report.html``.

    Raises
    ------
    DataError, ValueError, ImportError
        With a message for the user.
    """
    check_backend(options.backend)
    with Stages(quiet) as stages:
        stages.say(f"reading and encoding {data.path.name}")
        prepared = prepare(data, options)
        stages.say("fitting")
        fitted = fit(prepared, options, stages.iteration)
        stages.say("scoring")
        outcomes = {"train": _score(prepared, fitted, "train")}
        if prepared.split.test.size:
            outcomes["test"] = _score(prepared, fitted, "test")
        summary = summarize(data, options, prepared, fitted, outcomes)
        with new_folder(out) as folder:
            fitted.estimator.save(folder / MODEL_FILE, metadata=model_metadata(prepared))
            write_json(folder / SUMMARY_FILE, summary)
            if report:
                stages.say("drawing the report")
                from .report import render

                html = render(summary, prepared, fitted, outcomes)
                (folder / REPORT_FILE).write_text(html, encoding="utf-8")
    if not quiet:
        for warning in fitted.warnings:
            say_warning(warning)
        _tell(summary, prepared, out, report)


def check_backend(name: str) -> None:
    """Refuse a backend that cannot be used before any data is read.

    Raises
    ------
    typer.BadParameter
        When there is no backend of that name: exit code 2.
    ImportError
        When there is one, but it cannot be used here: exit code 1.
    """
    if name == "auto":
        return
    from ..backends import UnknownBackendError, get_backend

    try:
        get_backend(name, source="--backend", also=("auto",))
    except UnknownBackendError as error:
        raise typer.BadParameter(str(error), param_hint="--backend") from error


def _score(prepared: Prepared, fitted: Fitted, part: str) -> Outcome:
    X, y = (
        (prepared.X_train, prepared.y_train)
        if part == "train"
        else (prepared.X_test, prepared.y_test)
    )
    return evaluate(fitted.estimator, prepared.model, X, y)


def model_metadata(prepared: Prepared) -> dict[str, Any]:
    """Return what ``xpfit predict`` needs beside the arrays, as plain JSON."""
    return {
        METADATA_KEY: {
            "format": 1,
            "xpfit_version": __version__,
            "model": prepared.model,
            "target": prepared.target.name,
            "target_is_text": prepared.target.is_text,
            "encoder": prepared.encoder.to_dict(),
        }
    }


def summarize(
    data: DataOptions,
    options: ModelOptions,
    prepared: Prepared,
    fitted: Fitted,
    outcomes: dict[str, Outcome],
) -> dict[str, Any]:
    """Return the content of ``summary.json``."""
    last = fitted.history[-1] if fitted.history else None
    coef, gap = fitted.coefficients, getattr(fitted.estimator, "dual_gap_", math.nan)
    classes = getattr(fitted.estimator, "classes_", None)
    return {
        "data": str(data.path),
        "target": prepared.target.name,
        "task": prepared.task,
        "model": prepared.model,
        "model_reason": prepared.reason,
        "backend": str(fitted.estimator.backend_),
        "n_samples": {"train": len(prepared.y_train), "test": len(prepared.y_test)},
        "n_features": int(prepared.X_train.shape[1]),
        "n_columns": len(prepared.encoder.source_names),
        "classes": None if classes is None else np.asarray(classes).tolist(),
        "split": prepared.split.how,
        "n_iter": int(np.max(fitted.estimator.n_iter_)),
        "n_passes": fitted.n_passes,
        "seconds": fitted.seconds,
        "bytes_per_pass": fitted.bytes_per_pass,
        "bytes_per_second": fitted.bytes_per_second,
        "stop_reason": fitted.stop_reason,
        "loss": last.loss if last else None,
        "gradient_norm": float(fitted.estimator.gradient_norm_),
        "n_coefficients": {"all": int(np.size(coef)), "not_zero": int(np.count_nonzero(coef))},
        "duality_gap": float(gap),
        "metrics": {part: outcome.scores for part, outcome in outcomes.items()},
        "settings": {
            "test_size": data.test_size,
            "seed": data.seed,
            "split_column": data.split_column,
            "drop": list(data.drop),
            "backend": options.backend,
            **options.given(),
        },
        "notes": list(prepared.notes),
        "warnings": list(fitted.warnings),
        "versions": _versions(),
    }


def _versions() -> dict[str, str]:
    """Versions of what took part."""
    names = ("numpy", "scipy", "scikit-learn", "pyarrow", "numba", "cupy", "jax")
    found = {"xpfit": __version__, "python": platform.python_version()}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def run_rows(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """Return names and values that describe the run, for the terminal and the report.

    Parameters
    ----------
    summary : dict
        The content of ``summary.json``.
    """
    rows, count, gap = summary["n_samples"], summary["n_coefficients"], summary["duality_gap"]
    norm = summary["gradient_norm"]
    # Mini-batches form no gradient of the whole cost, and an L2 penalty leaves no zeros to count.
    gradient = "" if math.isnan(norm) else f" (gradient norm {norm:.1e})"
    sparse = [] if count["not_zero"] == count["all"] and math.isnan(gap) else [
        ("coefficients", f"{count['not_zero']:,} of {count['all']:,} are not zero")
    ]  # fmt: skip
    if not math.isnan(gap):
        sparse.append(
            ("duality gap", f"{max(gap, 0.0):.1e}: the cost is at most so far above its minimum")
        )
    return [
        ("data", f"{summary['data']}: {rows['train']:,} rows to train, {rows['test']:,} held out"),
        ("split", summary["split"]),
        ("features", f"{summary['n_features']:,} from {summary['n_columns']:,} columns"),
        ("model", f"{summary['model']} ({summary['model_reason']})"),
        ("backend", summary["backend"]),
        ("passes", f"{summary['n_passes']} reads of {bytes_text(summary['bytes_per_pass'])}"),
        ("time", f"{summary['seconds']:.3g} s, {bytes_text(summary['bytes_per_second'])}/s read"),
        ("stopped", f"{summary['stop_reason']}{gradient}"),
        *sparse,
    ]


def _tell(summary: dict[str, Any], prepared: Prepared, out: Path, report: bool) -> None:
    """Print what was done and where it is."""
    console = stdout()
    console.print(pairs("Run", run_rows(summary)))
    if prepared.notes:
        console.print(pairs("\nNotes", [("-", note) for note in prepared.notes[:12]]))
        if len(prepared.notes) > 12:
            console.print(f"- and {len(prepared.notes) - 12} more, in {SUMMARY_FILE}")
    parts = {"train": "train", "test": "held out"}
    headings = ("", *(parts[part] for part in summary["metrics"]))
    console.print(table("\nMetrics", headings, score_rows(summary["metrics"])))
    places = [("model", str(out / MODEL_FILE)), ("summary", str(out / SUMMARY_FILE))]
    places += [("report", str(out / REPORT_FILE))] if report else []
    console.print(pairs("\nWritten", places), soft_wrap=True)
