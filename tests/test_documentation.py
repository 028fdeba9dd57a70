"""What the documentation shows, runs: docstring examples, fenced ``python`` blocks, links.

pytest's own ``--doctest-modules`` is of no use here. The repository root is the package, so pytest
would name the modules after the checkout's folder: a second copy of each beside ``xpfit.*``, or, if
that folder's name is no identifier, an ImportError. The modules are imported by their real names.

A block that must not run says why, on the line before it: ``<!-- not run: needs a GPU -->``.
"""

from __future__ import annotations

import doctest
import importlib
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
FENCE = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^\n]+?) -->\n+)?"
    r"^```python\n(?P<code>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)\s#]+)")
# A module of this name may need a library that not every machine has.
# Those of cupy_kernels write kernels; only launching them needs CuPy.
OPTIONAL = re.compile(r"[._](cupy|jax|dask)_(?!kernels\.)")


def module_names() -> list[str]:
    """Return every module of the package by its import name, test files aside."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    names = []
    for package in pyproject["tool"]["setuptools"]["packages"]:
        for path in ROOT.joinpath(*package.split(".")[1:]).glob("*.py"):
            if path.name == "__init__.py":
                names.append(package)
            elif not path.name.startswith(("test_", "conftest", "__main__")):
                names.append(f"{package}.{path.stem}")
    return sorted(names)


def run_doctest(test: doctest.DocTest) -> str:
    """Run one docstring's examples; return doctest's own report, empty when all is well."""
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
    # An example's print options must not reach the next one's.
    with np.printoptions():
        runner.run(test, out=report.append, clear_globs=False)
    return "".join(report)


@pytest.mark.parametrize("name", module_names())
def test_docstring_examples(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = match[1] if (match := OPTIONAL.search(name)) else ""
    required = os.environ.get("XPFIT_REQUIRED_BACKENDS", "").split(",")
    missing = library and library not in required and importlib.util.find_spec(library) is None
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if missing and error.name == library:
            pytest.skip(f"{library} is not installed, and {name} imports it")
        raise
    monkeypatch.chdir(tmp_path)
    tests = doctest.DocTestFinder(exclude_empty=True).find(module, name)
    if missing and any(test.examples for test in tests):
        pytest.skip(f"{library} is not installed, and the examples of {name} use it")
    if report := "".join(run_doctest(test) for test in tests):
        pytest.fail(report, pytrace=False)


class Block(NamedTuple):
    """A fenced block of Python and where it starts."""

    line: int
    code: str
    reason: str | None  # why it is not run


def blocks(text: str) -> list[Block]:
    """Return the fenced ``python`` blocks of a page, in order."""
    return [
        Block(text.count("\n", 0, match.start("code")) + 1, match["code"], match["reason"])
        for match in FENCE.finditer(text)
    ]


def run_page(text: str, path: str) -> int:
    """Run the blocks of a page as one program, as a reader would; return how many ran."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    ran = 0
    for block in blocks(text):
        if block.reason:
            continue
        ran += 1
        if ">>>" in block.code:
            parser = doctest.DocTestParser()
            test = parser.get_doctest(block.code, namespace, path, path, block.line - 1)
            if report := run_doctest(test):
                pytest.fail(report, pytrace=False)
            namespace.update(test.globs)
        else:
            # Empty lines before it give the traceback the page's own line numbers.
            source = "\n" * (block.line - 1) + block.code
            exec(compile(source, path, "exec"), namespace)
    return ran


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_python_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Pages name example data as seen from the root of the checkout; what they write goes elsewhere.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    run_page(page.read_text("utf-8"), str(page))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_and_images_lead_somewhere(page: Path) -> None:
    targets = LINK.findall(page.read_text("utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_a_block_that_is_wrong_is_noticed() -> None:
    with pytest.raises(AssertionError):
        run_page("Text.\n\n```python\nassert 1 == 2\n```\n", "page.md")
    with pytest.raises(pytest.fail.Exception, match=r"Expected:\s+3\s+Got:\s+2"):
        run_page("```python\n>>> 1 + 1\n3\n\n```\n", "page.md")


def test_blocks_share_names_and_an_excuse_needs_a_reason() -> None:
    page = "```python\nx = 1\n```\n\n```python\n>>> x\n1\n>>> y = 2\n\n```\n```python\ny + x\n```\n"
    assert run_page(page, "page.md") == 3
    assert run_page("<!-- not run: needs a GPU -->\n```python\n1 / 0\n```\n", "page.md") == 0
    with pytest.raises(ZeroDivisionError):
        run_page("<!-- not run -->\n```python\n1 / 0\n```\n", "page.md")


def test_a_docstring_that_is_wrong_is_noticed() -> None:
    test = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "planted", "planted.py", 0)
    assert "Got:" in run_doctest(test)


@pytest.mark.parametrize("script", sorted(ROOT.glob("examples/*.py")), ids=lambda path: path.name)
def test_example_scripts_run(script: Path, tmp_path: Path) -> None:
    pytest.importorskip("jax", reason="the scripts use JAX where there is no GPU")
    command = [sys.executable, "-P", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    # The probe ends with 1 where no device can be used, and says why.
    assert done.returncode in ({0, 1} if script.name == "gpu_probe.py" else {0}), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.strip()
