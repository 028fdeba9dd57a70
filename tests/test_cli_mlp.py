"""``xpfit train --model mlp``: small networks from the command line."""

from __future__ import annotations

import numpy as np
import pytest
from cli_helpers import people, run, summary_of, write_rows

from xpfit import load
from xpfit.cli.models import ModelOptions, build


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_rows(tmp_path_factory.mktemp("data") / "people.csv", people())


FURTHER = (
    "--hidden-layer-sizes", "16,8", "--activation", "tanh", "--batch-size", "16",
    "--learning-rate", "0.02", "--max-iter", "150",
)  # fmt: skip


@pytest.mark.parametrize(
    ("target", "cls", "metric", "least"),
    [("bought", "MLPClassifier", "roc_auc", 0.6), ("spent", "MLPRegressor", "r2", 0.6)],
)
def test_the_target_says_what_mlp_is(tmp_path, table, target, cls, metric, least):
    out = tmp_path / "out"
    drop = "spent" if target == "bought" else "bought"
    arguments = ("train", table, "--target", target, "--drop", drop, "--model", "mlp", *FURTHER)
    text, _ = run(*arguments, "--out", out)
    summary, model = summary_of(out), load(out / "model.safetensors")
    assert type(model).__name__ == cls
    assert [coef.shape[1] for coef in model.coefs_] == [16, 8, 1]
    assert summary["metrics"]["test"][metric] > least
    assert summary["settings"]["hidden_layer_sizes"] == [16, 8]
    assert summary["n_coefficients"]["all"] == sum(coef.size for coef in model.coefs_)
    assert "nan" not in text
    html = (out / "report.html").read_text("utf-8")
    kind = "classifier" if target == "bought" else "regressor"
    assert f"<h1>Network {kind} of {target}</h1>" in html
    assert "<h2>Layers</h2>" in html
    assert "tanh" in html
    assert f"{model.network_.n_parameters:,} numbers were trained" in html
    assert "Strongest coefficients" not in html
    # The same seed is the same model.
    run(*arguments, "--no-report", "--out", tmp_path / "again")
    again = load(tmp_path / "again" / "model.safetensors")
    np.testing.assert_array_equal(again.theta_, model.theta_)
    text, error = run("predict", out, table, *(["--proba"] if target == "bought" else []))
    assert ("probability of yes" in text) == (target == "bought")
    assert ("ROC AUC" in error) == (target == "bought")


def test_options_become_those_of_the_estimator():
    options = ModelOptions(
        "mlp", optimizer="momentum", learning_rate=0.3, batch_size=8, l1_ratio=0.4, seed=7,
        hidden_layer_sizes=(5,), activation="gelu", alpha=0.1,
    )  # fmt: skip
    model = build("mlp-regressor", options, print)
    asked = {
        "optimizer": "sgd", "momentum": 0.9, "nesterovs_momentum": False, "activation": "gelu",
        "learning_rate": "adaptive", "learning_rate_init": 0.3, "batch_size": 8, "l1_ratio": 0.4,
        "random_state": 7, "hidden_layer_sizes": (5,), "alpha": 0.1,
    }  # fmt: skip
    assert {name: model.get_params()[name] for name in asked} == asked
    # What is not said keeps the estimator's own default.
    plain = build("mlp-classifier", ModelOptions("mlp"), print)
    assert plain.get_params() == {
        **type(plain)().get_params(), "random_state": 0, "callbacks": [print]
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--hidden-layer-sizes", "8,0"], 2, "'0' is no whole number of at least 1."),
        (["--hidden-layer-sizes", "eight"], 2, "'eight' is no whole number of at least 1."),
        (["--hidden-layer-sizes", "8,,8"], 2, "has an empty name in it"),
        (["--activation", "softmax"], 2, "'--activation': 'softmax' is not one of 'identity'"),
        (["--C", "1"], 2, "--C is for logistic; the model here is mlp-classifier"),
        (
            ["--model", "logistic", "--activation", "tanh"], 2,
            "--activation is for mlp; the model here is logistic",
        ),
        (
            ["--optimizer", "sgd", "--learning-rate", "1e30"], 1,
            "Give a lower --learning-rate, or a larger --batch-size.",
        ),
    ],
)  # fmt: skip
def test_refusals_are_one_paragraph(tmp_path, table, arguments, code, text):
    _, error = run(
        "train", table, "--target", "bought", "--model", "mlp", *arguments,
        "--out", tmp_path / "out", code=code,
    )  # fmt: skip
    assert text in error
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []
