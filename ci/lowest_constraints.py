"""Write the lowest versions that pyproject.toml allows, as a pip constraints file.

    python ci/lowest_constraints.py >ci/lowest-constraints.txt

The CuPy extras are left out: no machine of the CI job that uses the file has a GPU. So is
cuda-compile, which only compiles: an older compiler would tell nothing about the package.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADER = "# Written by ci/lowest_constraints.py from pyproject.toml; do not edit.\n"
REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(\[[^]]*\])?(>=|==)(?P<version>[0-9.]+)")


def constraints(pyproject: dict) -> str:
    """Return the text of the constraints file: one ``name==version`` per requirement."""
    project = pyproject["project"]
    requirements = list(project["dependencies"])
    for extra, listed in project["optional-dependencies"].items():
        if not extra.startswith(("cupy", "cuda")):
            requirements += listed
    lowest: dict[str, str] = {}
    for requirement in requirements:
        match = REQUIREMENT.fullmatch(requirement.replace(" ", ""))
        if match is None:
            message = f"{requirement!r} states no lower bound that can be read (name>=1.2)"
            raise ValueError(message)
        name, version = match["name"].lower(), match["version"]
        if lowest.setdefault(name, version) != version:
            message = f"{name} has two lower bounds: {lowest[name]} and {version}"
            raise ValueError(message)
    return HEADER + "".join(f"{name}=={lowest[name]}\n" for name in sorted(lowest))


if __name__ == "__main__":
    sys.stdout.write(constraints(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))))
