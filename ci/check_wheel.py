"""Fail unless a wheel holds exactly what pyproject.toml names: python ci/check_wheel.py FILE.whl

Expected are the .py files that lie directly in the folders of ``packages`` and the files of
``package-data``, nothing else: the repository root is the package, so one careless setting would
ship tests, data or a build folder to every user.
"""

from __future__ import annotations

import sys
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def expected_files(root: Path) -> set[str]:
    """Return the wheel paths that pyproject.toml asks for, metadata aside."""
    setuptools = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    files = set()
    for package in setuptools["packages"]:
        folder = root.joinpath(*package.split(".")[1:])
        files |= {f"{package.replace('.', '/')}/{path.name}" for path in folder.glob("*.py")}
    for package, names in setuptools["package-data"].items():
        files |= {f"{package.replace('.', '/')}/{name}" for name in names}
    return files


def differences(found: set[str], expected: set[str]) -> list[str]:
    """Return one line for each file that is missing or not expected."""
    code = {name for name in found if ".dist-info/" not in name}
    return [
        *(f"in the wheel, but not asked for: {name}" for name in sorted(code - expected)),
        *(f"asked for, but not in the wheel: {name}" for name in sorted(expected - code)),
    ]


def main(wheel: str) -> int:
    """Compare one wheel with pyproject.toml; return the exit status."""
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if not name.endswith("/")}
    problems = differences(found, expected_files(ROOT))
    if not any(name.endswith("/LICENSE") for name in found):
        problems.append("the licence is not in the wheel")
    sys.stdout.write("".join(f"{line}\n" for line in problems))
    sys.stdout.write(f"{Path(wheel).name}: {len(found)} files, {len(problems)} problems\n")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
