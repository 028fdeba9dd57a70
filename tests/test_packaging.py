"""What pyproject.toml, the tree and the tool settings say must agree. Nothing is built or fetched.

``ci/wheel`` builds the wheel and looks into it; here is what can be told without building.
"""

from __future__ import annotations

import re
import runpy
import tomllib
import zipfile
from pathlib import Path

import pytest

import xpfit

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
NOT_SHIPPED = {"tests", "docs", "examples", "ci", "build", "dist"}
CONSTRAINTS = runpy.run_path(str(ROOT / "ci" / "lowest_constraints.py"))["constraints"]
WHEEL = runpy.run_path(str(ROOT / "ci" / "check_wheel.py"))


def packages_in_tree(root: Path) -> set[str]:
    """Return the dotted name of each folder below ``root`` that is a package to be shipped."""
    found = set()
    for init in root.rglob("__init__.py"):
        parts = init.parent.relative_to(root).parts
        hidden = any(part.startswith((".", "__")) or part.endswith("-info") for part in parts)
        if not hidden and not (parts and parts[0] in NOT_SHIPPED):
            found.add(".".join(("xpfit", *parts)))
    return found


def test_packages_are_the_folders_that_hold_an_init() -> None:
    listed = PYPROJECT["tool"]["setuptools"]["packages"]
    assert len(listed) == len(set(listed))
    assert set(listed) == packages_in_tree(ROOT)


def test_every_module_lies_in_a_listed_package() -> None:
    for package in PYPROJECT["tool"]["setuptools"]["packages"]:
        folder = ROOT.joinpath(*package.split(".")[1:])
        nested = {path.parent for path in folder.rglob("*.py")} if folder != ROOT else set()
        for path in nested:
            assert (path / "__init__.py").exists(), f"{path} holds modules but no __init__.py"


def test_a_forgotten_package_is_noticed(tmp_path: Path) -> None:
    for name in ("core/new", "tests", ".venv/x"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "__init__.py").touch()
    assert packages_in_tree(tmp_path) == {"xpfit.core.new"}


def test_the_version_is_one() -> None:
    version = PYPROJECT["project"]["version"]
    assert xpfit.__version__ == version
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert "## [Unreleased]" in changelog or f"## [{version}]" in changelog


def test_typing_marker_and_licence_are_there() -> None:
    assert (ROOT / "py.typed").exists()
    assert PYPROJECT["tool"]["setuptools"]["package-data"] == {"xpfit": ["py.typed"]}
    assert "BSD 3-Clause" in (ROOT / "LICENSE").read_text("utf-8")


def test_supported_pythons_agree_everywhere() -> None:
    classifiers = PYPROJECT["project"]["classifiers"]
    prefix = "Programming Language :: Python :: 3."
    minors = sorted(int(c.removeprefix(prefix)) for c in classifiers if c.startswith(prefix))
    low, high = minors[0], minors[-1]
    assert PYPROJECT["project"]["requires-python"] == f">=3.{low},<3.{high + 1}"
    assert f"(3, {low}) <= sys.version_info[:2] <= (3, {high})" in (
        (ROOT / "ci" / "find-python").read_text("utf-8")
    )
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")
    versions = ", ".join(f'"3.{minor}"' for minor in minors)
    assert f"python: [{versions}]" in workflow
    assert PYPROJECT["tool"]["ruff"]["target-version"] == f"py3{low}"
    assert PYPROJECT["tool"]["mypy"]["python_version"] == f"3.{low}"


def test_lowest_constraints_match_the_lower_bounds() -> None:
    written = (ROOT / "ci" / "lowest-constraints.txt").read_text("utf-8")
    command = "python ci/lowest_constraints.py >ci/lowest-constraints.txt"
    assert written == CONSTRAINTS(PYPROJECT), f"run: {command}"


@pytest.mark.parametrize("listed", [["numpy"], ["numpy<3"], ["numpy>=2.0", "numpy>=2.1"]])
def test_a_requirement_without_one_lower_bound_is_refused(listed: list[str]) -> None:
    with pytest.raises(ValueError, match="lower bound"):
        CONSTRAINTS({"project": {"dependencies": listed, "optional-dependencies": {}}})


def test_pre_commit_runs_the_versions_of_the_dev_extra() -> None:
    dev = PYPROJECT["project"]["optional-dependencies"]["dev"]
    hooks = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
    pinned = re.findall(r'"(\w+==[\d.]+)"', hooks)
    assert pinned
    assert set(pinned) <= set(dev)


def test_workflows_use_only_the_official_actions() -> None:
    workflows = list((ROOT / ".github" / "workflows").glob("*.yml"))
    assert workflows
    used = {u for w in workflows for u in re.findall(r"uses: (\S+)@", w.read_text("utf-8"))}
    assert used <= {"actions/checkout", "actions/setup-python", "actions/upload-artifact"}


def test_the_wheel_check_sees_what_is_too_much_and_what_is_missing(tmp_path: Path) -> None:
    expected = WHEEL["expected_files"](ROOT)
    assert {"xpfit/__init__.py", "xpfit/py.typed", "xpfit/core/__init__.py"} <= expected
    assert not any(name.startswith("xpfit/tests") for name in expected)
    assert WHEEL["differences"](expected | {"xpfit-0.1.0.dist-info/METADATA"}, expected) == []

    wheel = tmp_path / "xpfit-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in (expected - {"xpfit/py.typed"}) | {"xpfit/tests/test_x.py"}:
            archive.writestr(name, "")
    assert WHEEL["main"](str(wheel)) == 1
    found = set(zipfile.ZipFile(wheel).namelist())
    assert WHEEL["differences"](found, expected) == [
        "in the wheel, but not asked for: xpfit/tests/test_x.py",
        "asked for, but not in the wheel: xpfit/py.typed",
    ]
