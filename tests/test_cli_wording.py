"""What the command line calls things: titles, refused values, advice; and what it keeps quiet."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from cli_helpers import people, run, write_rows

from xpfit.cli import plots
from xpfit.cli.fitting import Step
from xpfit.cli.models import MODELS, ModelName
from xpfit.cli.wording import with_flags


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_rows(tmp_path_factory.mktemp("data") / "people.csv", people())


@pytest.mark.parametrize(
    ("arguments", "title"),
    [
        (["--target", "bought", "--model", "sgd"], "SGD classifier of bought"),
        (["--target", "spent", "--model", "sgd"], "SGD regressor of spent"),
        (["--target", "spent", "--model", "elastic-net"], "Elastic-net model of spent"),
    ],
)
def test_the_report_calls_a_model_by_its_name(tmp_path, table, arguments, title):
    run("train", table, *arguments, "--out", tmp_path / "out", "--quiet")
    html = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert f"<h1>{title}</h1>" in html
    assert f"<title>{title} · xpfit</title>" in html


def test_every_model_has_a_title():
    assert {name.value for name in ModelName} - {"auto", "sgd", "mlp"} <= set(MODELS)
    for model in MODELS.values():
        assert model.title[0].isupper()
        assert model.title.split()[-1] in {"model", "classifier", "regressor"}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--model", "forest"], "'--model': 'forest' is not one of 'auto', 'logistic', 'linear'"),
        (["--optimizer", "lion"], "'--optimizer': 'lion' is not one of 'sgd', 'momentum'"),
        (["--max-iter", "many"], "'--max-iter': 'many' is no whole number."),
        (["--max-iter", "1.5"], "'--max-iter': '1.5' is no whole number."),
        (["--max-iter", "0"], "'--max-iter': '0' is no number of at least 1."),
        (["--tol", "small"], "'--tol': 'small' is no number."),
        (["--tol", "nan"], "'--tol': 'nan' is no number of at least 0."),
        (["--C", "-1"], "'--C': '-1' is no number of at least 1e-12."),
        (["--test-size", "3"], "'--test-size': '3' is no number of at most 0.95."),
        (["--model", "sgd", "--alpha", "inf"], "--alpha must be finite"),
        (["--model", "sgd", "--alpha", "0"], "give --learning-rate too, or an --alpha above 0"),
    ],
)
def test_a_refused_value_is_named_in_plain_words(tmp_path, table, arguments, text):
    arguments = ("train", table, "--target", "bought", *arguments, "--out", tmp_path / "out")
    _, error = run(*arguments, code=2)
    assert text in error
    for foreign in ("Value error", "validation error", "Input should", "pydantic"):
        assert foreign not in error


@pytest.mark.parametrize("target", ["bought", "spent"])
def test_divergence_is_advised_on_in_options(tmp_path, table, target):
    _, error = run(
        "train", table, "--target", target, "--model", "sgd", "--learning-rate", "1e200",
        "--out", tmp_path / "out", code=1,
    )  # fmt: skip
    assert "the descent diverged" in error
    assert "Give a lower --learning-rate, or a larger --batch-size." in error
    for argument in ("max_norm", "StandardScaler", "are kept"):
        assert argument not in error
    assert not (tmp_path / "out").exists()


def test_warnings_are_in_options_on_the_terminal_and_in_the_report(tmp_path, table):
    arguments = ("--target", "spent", "--model", "sgd", "--max-iter", "2")
    _, error = run("train", table, *arguments, "--out", tmp_path / "out")
    text = "more than --tol 0.001 after --max-iter 2 epochs. Raise --max-iter, or --tol if"
    assert text in error
    assert text in (tmp_path / "out" / "report.html").read_text("utf-8")


def test_no_advice_of_a_solver_is_left_in_words_of_python():
    from xpfit.core.solvers.result import LINE_SEARCH_FAILED, IterationRecord, _advice

    last = IterationRecord(3, 1.0, 0.1, 4, 0.0)
    said = with_flags(_advice(LINE_SEARCH_FAILED, last, 4, 3, "lbfgs", 1e-5))
    assert "larger --alpha" in said
    assert "standardize" not in said


def test_fonts_that_are_missing_are_not_spoken_of(caplog, monkeypatch):
    font_manager = pytest.importorskip("matplotlib.font_manager")
    from matplotlib.mathtext import MathTextParser

    manager = font_manager.fontManager
    own = [font for font in manager.ttflist if font.name == "DejaVu Sans"]
    history = [Step(i, i, float(np.exp(-3 * i)), float(np.exp(-4 * i)), 0.0) for i in range(5)]
    logger = logging.getLogger("matplotlib.font_manager")
    filters = list(logger.filters)
    for name, cache in ((manager, "_findfont_cached"), (MathTextParser, "_parse_cached")):
        if clear := getattr(getattr(name, cache, None), "cache_clear", None):
            clear()
    monkeypatch.setattr(manager, "ttflist", own)
    with caplog.at_level(logging.WARNING, logger="matplotlib"):
        assert "<svg" in plots.loss_curve(history) + plots.gradient_curve(history)
    assert [record.message for record in caplog.records] == []
    assert logger.filters == filters
