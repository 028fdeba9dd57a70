"""What the command line refuses, how it says so, and what it leaves behind."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from cli_helpers import people, run, summary_of, write_rows

from xpfit import __version__
from xpfit.cli.output import new_folder, write_json


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_rows(tmp_path_factory.mktemp("data") / "people.csv", people())


def test_results_are_not_overwritten_unasked(tmp_path, table):
    out = tmp_path / "out"
    arguments = ("train", table, "--target", "bought", "--out", out, "--no-report")
    run(*arguments)
    before = (out / "summary.json").read_text("utf-8")
    _, error = run(*arguments, code=2)
    assert "already holds results; use --overwrite" in error
    assert (out / "summary.json").read_text("utf-8") == before
    run(*arguments, "--overwrite", "--seed", "1")
    assert summary_of(out)["settings"]["seed"] == 1


def test_a_folder_with_other_files_is_never_replaced(tmp_path, table):
    (tmp_path / "thesis.tex").write_text("years of work")
    arguments = ("train", table, "--target", "bought", "--out", tmp_path, "--overwrite")
    _, error = run(*arguments, code=2)
    assert "holds files that xpfit did not write (thesis.tex" in error
    assert (tmp_path / "thesis.tex").exists()


def test_nothing_is_left_behind_by_a_failure(tmp_path):
    def fail_halfway():
        with new_folder(tmp_path / "out") as folder:
            (folder / "half.txt").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()
    assert list(tmp_path.iterdir()) == []


def test_json_has_no_nan(tmp_path):
    write_json(tmp_path / "a.json", {"a": [float("inf"), 1.5], "b": {"c": float("nan")}})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": [None, 1.5], "b": {"c": None}}


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--target", "boughtt"], 1, "did you mean 'bought'?"),
        ([], 1, "say --target COLUMN; the columns are 'age', 'job'"),
        (["--target", "bought", "--drop", "nope"], 1, "column 'nope'"),
        (["--target", "bought", "--model", "ridge"], 1, "a regression needs numbers"),
        (["--target", "bought", "--alpha", "1"], 2, "--alpha is for ridge, poisson, huber"),
        (["--target", "spent", "--C", "1"], 2, "--C is for logistic; the model here is ridge"),
        (["--target", "bought", "--split-column", "job"], 1, "it also holds 'cook', 'smith'"),
        (["--target", "bought", "--test-size", "1.5"], 2, "--test-size"),
        (["--target", "bought", "--model", "forest"], 2, "--model"),
        (
            ["--target", "bought", "--backend", "nunpy"],
            2,
            "unknown backend 'nunpy' (from --backend). Known: numpy, numba, cupy, jax, auto.",
        ),
        (["--target", "spent", "--model", "logistic"], 1, "classes in 240 rows"),
    ],
)
def test_refusals_are_one_paragraph(tmp_path, table, arguments, code, text):
    out = tmp_path / "out"
    _, error = run("train", table, *arguments, "--out", out, code=code)
    assert text in error
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


def test_data_errors_come_through(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x,y\n1,a\n2,a\n")
    _, error = run("train", path, "--target", "y", "--out", tmp_path / "out", code=1)
    assert error.startswith("error: target 'y'")
    assert "it has one value only, a, in all 2 rows" in error
    path.write_text("x,y\n1,a\ninf,b\n3,a\n4,b\n")
    arguments = ("--target", "y", "--test-size", "0.5", "--out", tmp_path / "out")
    _, error = run("train", path, *arguments, code=1)
    assert "infinite values" in error
    assert "'x'" in error


def test_backends_lists_what_there_is():
    text, _ = run("backends")
    assert "numpy" in text
    assert np.__version__ in text
    assert "usable" in text


def test_backends_says_when_the_environment_names_none_of_them(monkeypatch):
    monkeypatch.setenv("XPFIT_BACKEND", "nunpy")
    text, error = run("backends")
    assert np.__version__ in text
    assert "unknown backend 'nunpy' (from environment variable XPFIT_BACKEND)" in error


def test_a_place_that_cannot_be_written_is_refused_before_any_work(tmp_path, table):
    (tmp_path / "file").write_text("")
    for command in (
        ("train", table, "--target", "bought", "--out", tmp_path / "file" / "out"),
        ("predict", "no-model", table, "--out", tmp_path / "file" / "out.csv"),
    ):
        _, error = run(*command, code=2)
        assert "is a file; name another place with --out" in error
    _, error = run("predict", "no-model", table, "--out", tmp_path / "a.csv", code=1)
    (tmp_path / "a.csv").mkdir()
    _, error = run("predict", "no-model", table, "--out", tmp_path / "a.csv", code=2)
    assert "is a folder; name a file" in error


def test_version_and_help():
    assert run("--version")[0] == f"xpfit {__version__}"
    text, _ = run("train", "--help")
    assert "Examples:" in text
    assert "--split-column" in text
    assert run("nonsense", code=2)


def test_help_loads_nothing_slow():
    code = (
        "import sys; from xpfit.cli.main import app\n"
        "try: app(['train', '--help'])\n"
        "except SystemExit: pass\n"
        "slow = {'sklearn', 'matplotlib', 'pyarrow', 'scipy', 'numba', 'jax'} & set(sys.modules)\n"
        "sys.exit(f'loaded {slow}' if slow else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_module_runs_as_the_command_does(tmp_path):
    environment = {**os.environ, "COLUMNS": "200"}
    command = [sys.executable, "-m", "xpfit.cli", "train", str(tmp_path / "none.csv")]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "the file does not exist" in done.stderr
    assert shutil.which("xpfit") is None or not list(tmp_path.iterdir())
