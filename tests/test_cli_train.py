"""``xpfit train`` end to end: what it prints and writes."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from cli_helpers import people, run, summary_of, write_rows
from pyarrow import parquet

from xpfit import __version__

ADULT = Path(__file__).resolve().parent.parent / "examples" / "data" / "adult.csv.gz"
FILES = ["model.safetensors", "report.html", "summary.json"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_rows(tmp_path_factory.mktemp("data") / "people.csv", people())


@pytest.fixture(scope="module")
def trained(table):
    """A folder of results, and what training printed."""
    out = table.parent / "trained"
    text, _ = run("train", table, "--target", "bought", "--drop", "spent", "--out", out)
    return out, text


def test_train_writes_model_summary_and_report(trained):
    out, text = trained
    assert sorted(path.name for path in out.iterdir()) == FILES
    assert "logistic ('bought' is text with 2 distinct values)" in text
    for word in ("passes", "held out", "ROC AUC", "Brier score", "stopped", "report.html"):
        assert word in text
    assert not list(out.parent.glob(".trained*"))


def test_summary_says_what_was_done(trained):
    summary = summary_of(trained[0])
    assert summary["model"] == "logistic"
    assert summary["backend"] in {"numpy", "numba"}
    assert summary["n_samples"] == {"train": 180, "test": 60}
    assert summary["n_passes"] > 0
    assert summary["seconds"] > 0
    assert summary["stop_reason"]
    assert summary["gradient_norm"] < 1e-3
    assert summary["versions"]["xpfit"] == __version__
    for part in ("train", "test"):
        assert set(summary["metrics"][part]) == {
            "accuracy",
            "roc_auc",
            "average_precision",
            "f1",
            "log_loss",
            "brier",
        }
    assert summary["metrics"]["test"]["roc_auc"] > 0.65


def test_report_is_one_file_that_needs_nothing_else(trained):
    html = (trained[0] / "report.html").read_text("utf-8")
    assert html.startswith("<!doctype html>")
    assert html.count("<svg") == 7
    assert "<script" not in html
    assert "src=" not in html.replace("xlink:href=", "")
    assert "stylesheet" not in html
    for heading in ("Cost curve", "Ranking", "Confusion matrix", "Strongest coefficients", "Data"):
        assert f"<h2>{heading}</h2>" in html


def test_adult_reaches_the_published_quality(tmp_path):
    out = tmp_path / "out"
    run(
        "train", ADULT, "--target", "income", "--split-column", "split", "--out", out, "--no-report"
    )
    summary = summary_of(out)
    assert summary["n_samples"] == {"train": 32561, "test": 16281}
    assert summary["metrics"]["test"]["accuracy"] >= 0.85
    assert summary["metrics"]["test"]["roc_auc"] >= 0.90
    assert sorted(path.name for path in out.iterdir()) == [FILES[0], FILES[2]]


def test_a_split_column_that_is_not_used_is_no_feature(tmp_path):
    rows = [{**row, "split": "train" if i % 3 else "test"} for i, row in enumerate(people(60))]
    path = write_rows(tmp_path / "a.csv", rows)
    text, _ = run("train", path, "--target", "bought", "--out", tmp_path / "out", "--no-report")
    assert "column 'split' says train or test and was left out" in text
    assert summary_of(tmp_path / "out")["n_columns"] == 4


@pytest.mark.parametrize(
    ("model", "target", "metric"),
    [
        ("auto", "spent", "r2"),
        ("linear", "spent", "rmse"),
        ("huber", "spent", "mae"),
        ("poisson", "visits", "poisson_deviance"),
    ],
)
def test_regressions(tmp_path, table, model, target, metric):
    out = tmp_path / "out"
    drop = "visits" if target == "spent" else "spent"
    run("train", table, "--target", target, "--model", model, "--drop", drop, "--out", out)
    summary = summary_of(out)
    assert summary["model"] == ("ridge" if model == "auto" else model)
    assert metric in summary["metrics"]["test"]
    assert (summary["metrics"]["test"]["r2"] > 0.7) == (target == "spent")
    assert "Predictions and residuals" in (out / "report.html").read_text("utf-8")


def test_more_than_two_classes(tmp_path):
    rng = np.random.default_rng(0)
    y = np.repeat([3, 5, 9], 60)
    X = rng.normal(size=(180, 4)) + np.eye(4)[np.repeat([0, 1, 2], 60)] * 3
    np.savez(tmp_path / "a.npz", X=X, y=y)
    out = tmp_path / "out"
    run("train", tmp_path / "a.npz", "--out", out)
    summary = summary_of(out)
    assert summary["classes"] == [3, 5, 9]
    assert set(summary["metrics"]["test"]) == {"accuracy", "macro_f1", "log_loss", "roc_auc"}
    assert summary["metrics"]["test"]["accuracy"] > 0.8
    text, error = run("predict", out, tmp_path / "a.npz", "--proba")
    assert text.startswith('"prediction","probability of 3"')
    assert "macro F1" in error


def test_sparse_libsvm(tmp_path):
    rng = np.random.default_rng(0)
    lines = []
    for _ in range(200):
        words = sorted(set(rng.integers(1, 60, 5).tolist()))
        label = 1 if min(words) < 8 else -1
        lines.append(f"{label} " + " ".join(f"{word}:1" for word in words))
    path = tmp_path / "a.svm.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    run("train", path, "--out", tmp_path / "out", "--C", "10")
    summary = summary_of(tmp_path / "out")
    assert summary["metrics"]["train"]["accuracy"] > 0.9
    assert summary["settings"]["C"] == 10


def test_class_weight_changes_the_model(tmp_path, table):
    recall = []
    for extra in ([], ["--class-weight", "balanced"]):
        out = tmp_path / f"out{len(extra)}"
        arguments = ["--target", "bought", "--test-size", "0", "--no-report", "--out", out, *extra]
        run("train", table, *arguments)
        assert "test" not in summary_of(out)["metrics"]
        recall.append(summary_of(out)["metrics"]["train"]["log_loss"])
    assert recall[0] < recall[1]


def test_quiet_prints_nothing(tmp_path, table):
    arguments = ["--target", "bought", "--out", tmp_path / "out", "--no-report", "--quiet"]
    assert run("train", table, *arguments) == ("", "")


def test_a_solver_that_gives_up_is_a_line_and_not_a_warning_dump(tmp_path, table):
    arguments = ["--target", "visits", "--model", "poisson", "--max-iter", "1", "--tol", "1e-14"]
    _, error = run("train", table, *arguments, "--out", tmp_path / "out", "--no-report")
    assert error.startswith("warning: ")
    assert "ConvergenceWarning" not in error
    assert summary_of(tmp_path / "out")["warnings"]


def test_rows_without_target_are_counted(tmp_path):
    rows = people(80)
    for row in rows[:5]:
        row["bought"] = "?"
    path = write_rows(tmp_path / "a.csv", rows)
    text, _ = run("train", path, "--target", "bought", "--out", tmp_path / "out", "--no-report")
    assert "5 row(s) without a value of 'bought' were left out" in text
    assert sum(summary_of(tmp_path / "out")["n_samples"].values()) == 75


def test_text_of_the_user_is_escaped_in_the_report(tmp_path):
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(120):
        kind = str(rng.choice(["<script>alert(1)</script>", "a & $b$", "plain"]))
        rows.append({"<b>kind</b>": kind, "x": rng.normal(), "<i>y</i>": kind[0] + "<u>"})
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.Table.from_pylist(rows), path)
    out = tmp_path / "out"
    run("train", path, "--target", "<i>y</i>", "--out", out)
    html = (out / "report.html").read_text("utf-8")
    for tag in ("<script", "<b>kind", "<i>y", "<u>"):
        assert tag not in html
    assert "&lt;script&gt;" in html


def test_report_without_matplotlib(tmp_path, table, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    run("train", table, "--target", "bought", "--out", tmp_path / "out")
    html = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "pip install 'xpfit[plot]'" in html
    assert "<svg" not in html
    assert "odds ratio" in html
    assert "Confusion matrix" in html
