"""``xpfit predict`` end to end: files, scores, and the way back from a saved model."""

from __future__ import annotations

import numpy as np
import pytest
from cli_helpers import people, run, summary_of, write_rows
from pyarrow import csv, parquet
from typer.testing import CliRunner

from xpfit.cli.main import app


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_rows(tmp_path_factory.mktemp("data") / "people.csv", people())


@pytest.fixture(scope="module")
def trained(table):
    """A folder of results, and what training printed."""
    out = table.parent / "trained"
    text, _ = run("train", table, "--target", "bought", "--drop", "spent", "--out", out)
    return out, text


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_predict_writes_a_file_and_scores(tmp_path, table, trained, suffix):
    out = tmp_path / f"p.{suffix}"
    text, _ = run("predict", trained[0], table, "--proba", "--out", out)
    assert "240 predictions written" in text
    assert "Metrics of 240 rows with 'bought'" in text
    made = csv.read_csv(out) if suffix == "csv" else parquet.read_table(out)
    assert made.column_names == ["prediction", "probability of no", "probability of yes"]
    values = {name: made.column(name).to_pylist() for name in made.column_names}
    yes = np.array(values["probability of yes"])
    np.testing.assert_allclose(yes + values["probability of no"], 1)
    assert values["prediction"] == ["yes" if p > 0.5 else "no" for p in yes]
    _, error = run("predict", trained[0], table, "--out", out, code=2)
    assert "use --overwrite" in error
    run("predict", trained[0], table, "--out", out, "--overwrite")


def test_predict_to_standard_output_keeps_other_words_out(table, trained):
    result = CliRunner().invoke(app, ["predict", str(trained[0]), str(table)])
    lines = result.stdout.splitlines()
    assert lines[0] == '"prediction"'
    assert len(lines) == 241
    assert set(lines[1:]) == {'"yes"', '"no"'}
    assert "accuracy" in result.stderr


def test_predict_rows_without_target_and_with_unseen_text(tmp_path, trained):
    path = write_rows(
        tmp_path / "new.csv",
        [{"visits": 1, "job": "baker", "age": 30}, {"visits": 2, "job": "", "age": ""}],
    )
    text, error = run("predict", trained[0] / "model.safetensors", path)
    assert len(text.split()) == 3
    assert "column 'job': 1 row(s) with text that training did not have" in error
    assert "Metrics" not in error


def test_a_model_predicts_as_it_was_scored(tmp_path, table):
    """Held-out scores of training are those of predicting the same rows from the saved file."""
    rows = [{**row, "part": "test" if i % 4 == 0 else "train"} for i, row in enumerate(people())]
    every = write_rows(tmp_path / "all.csv", rows)
    held_out = write_rows(tmp_path / "test.csv", [row for row in rows if row["part"] == "test"])
    out = tmp_path / "out"
    run("train", every, "--target", "bought", "--split-column", "part", "--out", out, "--no-report")
    text, _ = run("predict", out, held_out, "--out", tmp_path / "p.csv")
    expected = summary_of(out)["metrics"]["test"]
    assert f"log loss {expected['log_loss']:.4f}" in text
    assert f"ROC AUC {expected['roc_auc']:.4f}" in text


def test_codes_with_leading_zeros_survive_the_round_trip(tmp_path):
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(200):
        code = str(rng.choice(["007", "010", "A12"]))
        rows.append({"code": code, "y": "yes" if code == "007" else "no"})
    path = write_rows(tmp_path / "a.csv", rows)
    run("train", path, "--target", "y", "--out", tmp_path / "out", "--no-report")
    new = write_rows(tmp_path / "new.csv", [{"code": "007"}, {"code": "010"}])
    text, error = run("predict", tmp_path / "out", new)
    assert text.split() == ['"prediction"', '"yes"', '"no"']
    assert error == ""


@pytest.mark.parametrize(
    ("content", "text"),
    [(None, "the file does not exist"), (b"not a model", "safetensors")],
)
def test_predict_refuses_what_is_no_model(tmp_path, table, content, text):
    path = tmp_path / "model.safetensors"
    if content is not None:
        path.write_bytes(content)
    _, error = run("predict", path, table, code=1)
    assert text in error


def test_predict_refuses_a_model_without_encoder(tmp_path, table):
    from xpfit.estimators import LinearRegression

    path = tmp_path / "model.safetensors"
    LinearRegression().fit(np.eye(3), np.arange(3.0)).save(path)
    _, error = run("predict", path, table, code=1)
    assert "it was saved from Python" in error


def test_predict_refuses_missing_columns_and_proba_of_numbers(tmp_path, table, trained):
    path = write_rows(tmp_path / "new.csv", [{"age": 3}, {"age": 4}])
    _, error = run("predict", trained[0], path, code=1)
    assert "column(s) 'visits', 'job'" in error
    out = tmp_path / "out"
    run("train", table, "--target", "spent", "--out", out, "--no-report")
    _, error = run("predict", out, table, "--proba", code=1)
    assert "a ridge model predicts numbers" in error
    _, error = run("predict", out, table, "--out", tmp_path / "p.xlsx", code=2)
    assert "must end in .csv or .parquet" in error
