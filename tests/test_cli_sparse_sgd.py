"""``xpfit train`` with an L1 penalty and by mini-batch descent."""

from __future__ import annotations

import numpy as np
import pytest
from cli_helpers import people, run, summary_of, write_rows

from xpfit import load
from xpfit.cli.models import ModelOptions, build


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_rows(tmp_path_factory.mktemp("data") / "people.csv", people())


@pytest.mark.parametrize(
    ("model", "further", "cls"),
    [("lasso", [], "Lasso"), ("elastic-net", ["--l1-ratio", "0.9"], "ElasticNet")],
)
def test_an_l1_penalty_counts_its_zeros_and_tells_its_gap(tmp_path, table, model, further, cls):
    out = tmp_path / "out"
    arguments = ("--target", "spent", "--model", model, "--alpha", "3", *further, "--out", out)
    text, _ = run("train", table, *arguments)
    summary = summary_of(out)
    fitted = load(out / "model.safetensors")
    assert type(fitted).__name__ == cls
    zeros = int((fitted.coef_ == 0.0).sum())
    assert 0 < zeros < fitted.coef_.size
    assert summary["n_coefficients"] == {
        "all": fitted.coef_.size, "not_zero": fitted.coef_.size - zeros
    }  # fmt: skip
    assert abs(summary["duality_gap"]) < 1e-4 * summary["loss"]
    told = f"{fitted.coef_.size - zeros} of {fitted.coef_.size} are not zero"
    html = (out / "report.html").read_text("utf-8")
    for page in (text, html):
        assert told in page
        assert "duality gap" in page
    assert f"The {fitted.coef_.size - zeros} strongest of {fitted.coef_.size}" in html
    assert summary["metrics"]["test"]["r2"] > 0.7
    assert run("predict", out, table)[0].startswith('"prediction"')


def test_a_ridge_has_no_zeros_to_tell(tmp_path, table):
    text, _ = run("train", table, "--target", "spent", "--out", tmp_path / "out", "--no-report")
    assert "not zero" not in text
    assert "duality gap" not in text
    assert summary_of(tmp_path / "out")["duality_gap"] is None


@pytest.mark.parametrize(
    ("target", "cls", "metric", "least"),
    [("bought", "SGDClassifier", "roc_auc", 0.65), ("spent", "SGDRegressor", "r2", 0.7)],
)
def test_the_target_says_what_sgd_is(tmp_path, table, target, cls, metric, least):
    out = tmp_path / "out"
    drop = "spent" if target == "bought" else "bought"
    text, _ = run(
        "train", table, "--target", target, "--drop", drop, "--model", "sgd", "--optimizer", "adam",
        "--batch-size", "16", "--learning-rate", "0.05", "--max-iter", "300", "--out", out,
    )  # fmt: skip
    summary = summary_of(out)
    assert type(load(out / "model.safetensors")).__name__ == cls
    assert summary["metrics"]["test"][metric] > least
    assert summary["settings"]["optimizer"] == "adam"
    assert summary["gradient_norm"] is None
    assert "nan" not in text
    assert "asked for by --model" in text
    html = (out / "report.html").read_text("utf-8")
    assert "Norm of the gradient" not in html
    assert ("Ranking" in html) == (target == "bought")
    # The same seed is the same model.
    run(
        "train", table, "--target", target, "--drop", drop, "--model", "sgd", "--optimizer", "adam",
        "--batch-size", "16", "--learning-rate", "0.05", "--max-iter", "300", "--no-report",
        "--out", tmp_path / "again",
    )  # fmt: skip
    assert summary_of(tmp_path / "again")["metrics"] == summary["metrics"]
    text, error = run("predict", out, table, *(["--proba"] if target == "bought" else []))
    assert ("probability of yes" in text) == (target == "bought")
    assert ("ROC AUC" in error) == (target == "bought")


def test_sgd_with_an_l1_penalty(tmp_path, table):
    out = tmp_path / "out"
    text, _ = run(
        "train", table, "--target", "spent", "--model", "sgd", "--alpha", "20", "--l1-ratio", "1",
        "--batch-size", "64", "--learning-rate", "0.05", "--optimizer", "momentum", "--out", out,
        "--no-report",
    )  # fmt: skip
    count = summary_of(out)["n_coefficients"]
    assert 0 < count["not_zero"] < count["all"]
    assert "are not zero" in text
    assert "duality gap" not in text


def test_options_become_those_of_the_estimator():
    options = ModelOptions(
        "sgd", optimizer="nesterov", learning_rate=0.3, batch_size=8, l1_ratio=0.4, seed=7
    )
    model = build("sgd-regressor", options, print)
    asked = {
        "optimizer": "sgd", "momentum": 0.9, "nesterov": True, "learning_rate": "adaptive",
        "eta0": 0.3, "batch_size": 8, "penalty": "elasticnet", "l1_ratio": 0.4, "random_state": 7,
    }  # fmt: skip
    assert {name: model.get_params()[name] for name in asked} == asked
    # What is not said keeps the estimator's own default.
    plain = build("sgd-classifier", ModelOptions("sgd"), print)
    assert plain.get_params() == {
        **type(plain)().get_params(), "random_state": 0, "callbacks": [print]
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (
            ["--target", "spent", "--l1-ratio", "0.5"], 2,
            "--l1-ratio is for elastic-net, sgd, mlp; the model here is ridge",
        ),
        (
            ["--target", "spent", "--model", "lasso", "--l1-ratio", "0.5"], 2,
            "the model here is lasso",
        ),
        (["--target", "bought", "--optimizer", "adam"], 2, "--optimizer is for sgd, mlp; the"),
        (
            ["--target", "spent", "--model", "lasso", "--batch-size", "8"], 2,
            "--batch-size is for sgd",
        ),
        (["--target", "spent", "--learning-rate", "1"], 2, "--learning-rate is for sgd"),
        (["--target", "spent", "--model", "sgd", "--C", "1"], 2, "--C is for logistic"),
        (
            ["--target", "spent", "--model", "sgd", "--class-weight", "balanced"], 2,
            "is for logistic, sgd-classifier, mlp-classifier; the model here is sgd-regressor",
        ),
        (["--target", "bought", "--model", "lasso"], 1, "a regression needs numbers"),
        (["--target", "bought", "--model", "sgd", "--optimizer", "adan"], 2, "--optimizer"),
        (["--target", "bought", "--model", "sgd", "--l1-ratio", "2"], 2, "--l1-ratio"),
        (
            ["--target", "spent", "--model", "sgd", "--learning-rate", "1e6"], 1,
            "Give a lower --learning-rate",
        ),
    ],
)  # fmt: skip
def test_refusals_are_one_paragraph(tmp_path, table, arguments, code, text):
    _, error = run("train", table, *arguments, "--out", tmp_path / "out", code=code)
    assert text in error
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


def test_a_number_is_not_taken_for_a_class(tmp_path):
    rng = np.random.default_rng(0)
    rows = [{"x": float(x), "y": float(2 * x + 0.1)} for x in rng.normal(size=60)]
    path = write_rows(tmp_path / "a.csv", rows)
    text, error = run(
        "train", path, "--target", "y", "--model", "sgd", "--out", tmp_path / "o", "--no-report"
    )
    assert "sgd-regressor (asked for by --model; 'y' is numeric" in text
    _, error = run("predict", tmp_path / "o", path, "--proba", code=1)
    assert "a sgd-regressor model predicts numbers" in error
