"""``report.html``: one file that needs nothing else, readable on a screen, a phone or paper."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.text_table import bytes_text
from ..data import Categories
from . import plots, score_plots
from .fitting import Fitted, Outcome, classes_of
from .markup import figure, keys, section, table, warning
from .models import MODELS
from .network_report import layers
from .preparing import Prepared
from .scores import LABELS, score_rows
from .style import CSS
from .training import run_rows

N_COEFFICIENTS = 25
MAX_CONFUSION = 30
NO_PLOTS = (
    "Pictures are left out because matplotlib is not installed: "
    "<code>pip install 'xpfit[plot]'</code>"
)


def render(
    summary: dict[str, Any], prepared: Prepared, fitted: Fitted, outcomes: dict[str, Outcome]
) -> str:
    """Return the report as HTML.

    Parameters
    ----------
    summary : dict
        The content of ``summary.json``.
    prepared : Prepared
    fitted : Fitted
    outcomes : dict of str to Outcome
        ``"train"``, and ``"test"`` where rows were held out; pictures show the held-out ones.
    """
    part = "test" if "test" in outcomes else "train"
    rows = "held-out" if part == "test" else "training"
    shown = outcomes[part]
    title = f"{MODELS[summary['model']].title} of {summary['target']}"
    body = [
        _header(title, summary, part),
        *(warning(escape(text)) for text in summary["warnings"]),
        section("Scores", "", _score_table(summary)),
        _cost(fitted),
    ]
    if prepared.task == "classification":
        classes = classes_of(fitted.estimator)
        if len(classes) == 2 and len(np.unique(shown.y)) == 2:
            body.append(_binary(shown, outcomes["train"], classes, rows))
        body.append(_confusion(shown, classes, rows))
    else:
        body.append(_regression(shown, rows))
    described = layers if hasattr(fitted.estimator, "network_") else _coefficients
    body += [described(summary, prepared, fitted), _data(summary, prepared), _settings(summary)]
    if plots.try_draw(_probe) is None:
        body.insert(1, warning(NO_PLOTS))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} · xpfit</title><style>{CSS}</style></head>"
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


def _probe() -> str:
    """Fail where matplotlib is missing."""
    import matplotlib.figure

    return matplotlib.figure.__name__


def _header(title: str, summary: dict[str, Any], part: str) -> str:
    """Title and key figures."""
    scores = summary["metrics"][part]
    where = "held-out" if part == "test" else "training"
    wanted = ("accuracy", "roc_auc", "f1", "macro_f1", "r2", "rmse")
    cards = [
        (
            f"{scores[name]:.3g}" if abs(scores[name]) >= 1 else f"{scores[name]:.3f}",
            f"{where} {LABELS[name]}",
        )
        for name in wanted
        if name in scores
    ][:3]
    cards += [
        (str(summary["n_passes"]), "passes over the data"),
        (f"{summary['seconds']:.3g} s", f"to fit, on {summary['backend']}"),
        (f"{bytes_text(summary['bytes_per_second'])}/s", "of training data read"),
    ]
    made = "".join(
        f'<div class="card"><b>{escape(value)}</b><span>{escape(name)}</span></div>'
        for value, name in cards
    )
    rows = summary["n_samples"]
    lead = (
        f"{PurePath(summary['data']).name}: {rows['train']:,} training and "
        f"{rows['test']:,} held-out rows, {summary['n_features']:,} features"
    )
    return (
        f'<header><p class="kicker">xpfit report</p><h1>{escape(title)}</h1>'
        f'<p class="lead">{escape(lead)}</p><div class="cards">{made}</div></header>'
    )


def _score_table(summary: dict[str, Any]) -> str:
    names = {"train": "training rows", "test": "held-out rows"}
    headings = ["", *(names[part] for part in summary["metrics"])]
    return table(headings, score_rows(summary["metrics"]))


def _cost(fitted: Fitted) -> str:
    """The way of the solver."""
    lead = (
        f"{fitted.n_passes} passes; stopped because: {fitted.stop_reason}. "
        "On a logarithmic axis a straight line is linear convergence, a falling curve a faster one."
    )
    history = fitted.history
    if len(history) < 2:
        return ""
    pictures = [lambda: plots.loss_curve(history)]
    if not math.isnan(history[-1].gradient_norm):  # mini-batches form none of the whole cost
        pictures.append(lambda: plots.gradient_curve(history))
    return section("Cost curve", lead, figure(*pictures))


def _binary(shown: Outcome, train: Outcome, classes: NDArray[Any], rows: str) -> str:
    """ROC, precision and recall, calibration, thresholds."""
    y, score = (shown.y == classes[1]).astype(np.int64), shown.predicted[:, 1]
    chosen = score_plots.best_threshold(
        (train.y == classes[1]).astype(np.int64), train.predicted[:, 1]
    )
    best = score_plots.threshold_scores(y, score, chosen)
    half = score_plots.threshold_scores(y, score, 0.5)
    lead = f"The positive class is {classes[1]}; every figure is of the {rows} rows."
    ranking = section(
        "Ranking",
        lead,
        figure(lambda: score_plots.roc(y, score), lambda: score_plots.precision_recall(y, score)),
    )
    text = (
        f"At the threshold 0.5 the F1 score is {half[0]:.3f}. The threshold {chosen:.2f}, the best "
        f"on the training rows, gives {best[0]:.3f}, with precision {best[1]:.3f} "
        f"and recall {best[2]:.3f}."
    )
    both = figure(
        lambda: score_plots.calibration(y, score), lambda: score_plots.thresholds(y, score, chosen)
    )
    return ranking + section("Probabilities and threshold", text, both or " ")


def _confusion(shown: Outcome, classes: NDArray[Any], rows: str) -> str:
    """Counts of true against predicted classes."""
    if len(classes) > MAX_CONFUSION:
        return ""
    true = np.searchsorted(classes, shown.y)
    predicted = shown.predicted.argmax(axis=1)
    counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
    np.add.at(counts, (true, predicted), 1)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    head = "".join(f'<th class="n">{escape(str(label))}</th>' for label in classes)
    body = ""
    for i, label in enumerate(classes):
        cells = ""
        for j in range(len(classes)):
            colour = "31,111,178" if i == j else "217,102,43"
            ink = "#fff" if share[i, j] > 0.7 else "inherit"
            cells += (
                f'<td class="n" style="background:rgba({colour},{share[i, j]:.3f});color:{ink}">'
                f"{counts[i, j]:,}<br><small>{share[i, j]:.1%}</small></td>"
            )
        body += f"<tr><th>{escape(str(label))}</th>{cells}</tr>"
    lead = f"Rows: true class. Columns: predicted class. Shares: of the true class ({rows} rows)."
    matrix = f'<table class="confusion"><tr><th></th>{head}</tr>{body}</table>'
    return section("Confusion matrix", lead, f'<div class="scroll">{matrix}</div>')


def _regression(shown: Outcome, rows: str) -> str:
    """True, predicted and residual values."""
    y, predicted = shown.y, shown.predicted
    content = figure(
        lambda: score_plots.true_predicted(y, predicted),
        lambda: score_plots.residuals(y, predicted),
    )
    content += figure(lambda: score_plots.residual_histogram(y, predicted))
    lead = f"Every figure is of the {rows} rows; of more than 5,000, a sample is drawn as points."
    return section("Predictions and residuals", lead, content)


def strongest(
    names: Sequence[str], coef: NDArray[Any], classes: Sequence[str], limit: int = N_COEFFICIENTS
) -> tuple[list[str], NDArray[np.float64]]:
    """Return the coefficients of largest magnitude, strongest first.

    Parameters
    ----------
    names : sequence of str
    coef : ndarray, shape (n_features,) or (n_rows, n_features)
    classes : sequence of str
        One per row of ``coef`` where there are several; it is added to the name.
    limit : int

    Examples
    --------
    >>> strongest(["a", "b"], np.array([0.1, -2.0]), [], limit=1)
    (['b'], array([-2.]))
    """
    matrix = np.atleast_2d(np.asarray(coef, dtype=np.float64))
    order = np.argsort(-np.abs(matrix), axis=None, kind="stable")[:limit]
    rows, columns = np.unravel_index(order, matrix.shape)
    labels = [
        f"{names[j]} → {classes[i]}" if len(matrix) > 1 else names[j]
        for i, j in zip(rows.tolist(), columns.tolist(), strict=True)
    ]
    return labels, matrix[rows, columns]


def _coefficients(summary: dict[str, Any], prepared: Prepared, fitted: Fitted) -> str:
    """The strongest coefficients, as ratios where they are ratios."""
    classes = [str(label) for label in summary["classes"] or []]
    count = summary["n_coefficients"]
    shown = min(N_COEFFICIENTS, max(1, count["not_zero"]))
    coef = fitted.estimator.coef_
    names, values = strongest(prepared.encoder.feature_names, coef, classes, shown)
    ratio = "rate ratio" if summary["model"] == "poisson" else ""
    ratio = "odds ratio" if prepared.task == "classification" else ratio
    unit = "one standard deviation" if not prepared.encoder.sparse else "the largest value"
    odds_of = classes[-1] if len(classes) == 2 else "the class"
    what = {
        "odds ratio": f"the odds of {odds_of} are multiplied",
        "rate ratio": "the predicted count is multiplied",
        "": f"the prediction of {summary['target']} changes",
    }[ratio]
    lead = (
        f"By how much {what} when a numeric column rises by {unit}, "
        "or when a category (column=value) is present. "
        f"The {len(names)} strongest of {count['all']:,}, {count['not_zero']:,} of them not zero"
        f"{'' if summary['model'] == 'linear' else '; the penalty shrinks them all'}."
    )
    content = figure(lambda: plots.coefficients(names, values, ratio))
    if not content:
        numbers = np.exp(values) if ratio else values
        content = table(
            ("feature", ratio or "coefficient"),
            [(n, f"{v:.4g}") for n, v in zip(names, numbers, strict=True)],
        )
    return section("Strongest coefficients", lead, content)


def _data(summary: dict[str, Any], prepared: Prepared) -> str:
    """Columns, missing values, and what was decided about them."""
    encoder = prepared.encoder
    rows: list[tuple[str, str, str, str]] = []
    for number in encoder.numbers[:60]:
        centre = f"mean {number.mean:.4g}, scale {number.scale:.4g}"
        flag = f"; missing: {number.median:.4g} and an indicator" if number.indicator else ""
        missing = _n_missing(prepared, number.name) if number.indicator else 0
        rows.append((number.name, "numeric", f"{missing:,}", centre + flag))
    for category in encoder.categories[:60]:
        levels = ", ".join(category.levels[:6]) + (", …" if len(category.levels) > 6 else "")
        missing = _n_missing(prepared, category.name)
        kind = f"{category.width} categories"
        rows.append((category.name, kind, f"{missing:,}", levels))
    rows += [(name, "left out", "", why) for name, why in list(encoder.dropped.items())[:40]]
    hidden = len(encoder.source_names) + len(encoder.dropped) - len(rows)
    if hidden > 0:
        rows.append((f"and {hidden:,} more", "", "", ""))
    notes = "".join(f"<li>{escape(note)}</li>" for note in summary["notes"][:40])
    content = table(("column", "kind", "missing", "encoding"), rows, text_columns=4)
    content += f'<h3>Notes</h3><ul class="notes">{notes}</ul>' if notes else ""
    lead = "Everything here was learnt from the training rows only."
    return section("Data", lead, content)


def _n_missing(prepared: Prepared, name: str) -> int:
    """Count the missing values of a column, in all rows."""
    column = prepared.table.column(name)
    if isinstance(column, Categories):
        return int((column.codes < 0).sum())
    return int(np.isnan(column).sum())


def _settings(summary: dict[str, Any]) -> str:
    """How to get the same result again."""
    settings = {k: v for k, v in summary["settings"].items() if v not in (None, [])}
    rows = [*run_rows(summary), *((name.replace("_", " "), str(v)) for name, v in settings.items())]
    versions = ", ".join(f"{name} {version}" for name, version in summary["versions"].items())
    return section("Run and settings", "", keys(rows)) + f"<footer>{escape(versions)}</footer>"
