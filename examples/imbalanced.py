"""Few positives: what weights of classes, resampling and a tuned threshold do, and do not.

    python examples/imbalanced.py [table.csv.gz]

Adult census income, people under 30: one in nineteen earns more than 50,000 dollars. A model that
says "no" to everybody is right in 95 of 100 cases, so accuracy says nothing; look at precision (how
many of those named are right), recall (how many of the right ones are named) and F1.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.metrics import (
    average_precision_score,
    f1_score,
    make_scorer,
    precision_score,
    recall_score,
)
from sklearn.model_selection import TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from xpfit import LogisticRegression

TABLE = Path(__file__).resolve().parent / "data" / "adult.csv.gz"
NUMBERS = ["age", "education_num", "hours_per_week"]
CATEGORIES = ["workclass", "marital_status", "occupation", "sex"]
MISSED = 10  # false alarms that are as bad as one positive that was missed


def read(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """People under 30 of the training rows and of the test rows."""
    people = pd.read_csv(path).query("age < 30")
    return people[people["split"] == "train"], people[people["split"] == "test"]


def model(**options: object) -> object:
    """The pipeline that all ways share."""
    columns = make_column_transformer(
        (StandardScaler(), NUMBERS),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), CATEGORIES),
    )
    return make_pipeline(columns, LogisticRegression(**options))


def resampled(y: np.ndarray, rng: np.random.Generator, *, more: bool) -> np.ndarray:
    """Rows in which both classes are as frequent: positives repeated, or negatives left out."""
    positive, negative = np.flatnonzero(y == 1), np.flatnonzero(y == 0)
    if more:
        return np.concatenate([negative, rng.choice(positive, size=negative.size)])
    return np.concatenate([positive, rng.choice(negative, size=positive.size, replace=False)])


def gain(y: np.ndarray, predicted: np.ndarray) -> float:
    """Less the cost of the errors, by row."""
    missed, alarms = (y == 1) & (predicted == 0), (y == 0) & (predicted == 1)
    return -float(np.mean(MISSED * missed + alarms))


def row(name: str, y: np.ndarray, predicted: np.ndarray, probability: np.ndarray) -> str:
    """One line of the table."""
    figures = (
        precision_score(y, predicted, zero_division=0.0), recall_score(y, predicted),
        f1_score(y, predicted), -gain(y, predicted), average_precision_score(y, probability),
        probability.mean(),
    )  # fmt: skip
    return f"{name:<28}" + "".join(f"{figure:>12.3f}" for figure in figures)


def main(path: Path) -> None:
    """Fit every way on the training rows and print what each does on the test rows."""
    train, test = read(path)
    y, truth = ((part["income"] == ">50K").to_numpy().astype(int) for part in (train, test))
    rng = np.random.default_rng(0)
    over, under = resampled(y, rng, more=True), resampled(y, rng, more=False)
    ways = {
        "as it is": model().fit(train, y),
        "class_weight='balanced'": model(class_weight="balanced").fit(train, y),
        "positives repeated": model().fit(train.iloc[over], y[over]),
        "negatives left out": model().fit(train.iloc[under], y[under]),
        "threshold tuned for F1": TunedThresholdClassifierCV(model(), scoring="f1", cv=5).fit(
            train, y
        ),
        "threshold tuned for cost": TunedThresholdClassifierCV(
            model(), scoring=make_scorer(gain), cv=5
        ).fit(train, y),
    }
    say = sys.stdout.write
    say(f"{len(y):,} rows to train on, {y.mean():.1%} positive; {len(truth):,} to test on\n\n")
    heads = ("precision", "recall", "F1", "cost", "AP", "mean p")
    say(f"{'':<28}" + "".join(f"{head:>12}" for head in heads) + "\n")
    for name, way in ways.items():
        say(row(name, truth, way.predict(test), way.predict_proba(test)[:, 1]) + "\n")
    threshold = ways["threshold tuned for F1"].best_threshold_
    say(f"\nThe threshold tuned for F1 is {threshold:.2f}. F1 as it is, by threshold:\n")
    probability = ways["as it is"].predict_proba(test)[:, 1]
    for cut in np.arange(0.1, 1.0, 0.1):
        say(f"  {cut:.1f}  {f1_score(truth, probability >= cut, zero_division=0.0):.3f}\n")
    say(
        f"\nThe cost is by row; a missed positive is as bad as {MISSED} false alarms.\n"
        "The ranking (AP, average precision) hardly changes: all these ways move the threshold.\n"
        "Weights and resampling also spoil the probabilities (mean p against the share of\n"
        "positives); a tuned threshold leaves them as they are.\n"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else TABLE)
