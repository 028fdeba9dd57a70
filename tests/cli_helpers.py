"""What the tests of the command line share: running it, and a small mixed table."""

from __future__ import annotations

import json

import numpy as np
from typer.testing import CliRunner

from xpfit.cli.main import app


def run(*arguments, code=0):
    """Run ``xpfit`` in this process; return standard output and error, each as one line."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    error = " ".join(result.stderr.replace("│", " ").split())
    assert result.exit_code == code, (result.stdout, error, result.exception)
    return " ".join(result.stdout.split()), error


def summary_of(folder):
    return json.loads((folder / "summary.json").read_text("utf-8"))


def write_rows(path, rows):
    names = list(rows[0])
    lines = [",".join(names), *(",".join(str(row[name]) for name in names) for row in rows)]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def people(n=240, seed=0):
    """A small mixed table: ``bought`` depends on age and job, ``spent`` on age."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(n):
        age, job = int(rng.integers(18, 80)), str(rng.choice(["cook", "smith", "?"]))
        logit = 0.08 * (age - 45) + (1.0 if job == "smith" else -0.5)
        rows.append(
            {
                "age": age if rng.random() > 0.1 else "",
                "job": job,
                "bought": "yes" if rng.random() < 1 / (1 + np.exp(-logit)) else "no",
                "spent": round(3.0 * age + float(rng.normal(0, 5)), 2),
                "visits": int(rng.poisson(age / 20)),
            }
        )
    return rows
