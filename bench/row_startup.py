"""Row `startup`: import, the first fit of a process, and the first fit ever, in fresh processes."""

from __future__ import annotations

import statistics
import tempfile
import time
from typing import Any

import numpy as np

from .children import run_code
from .figures import Row
from .problems import draw_labels, gaussian
from .sizes import Size, rounds_for

KEY = "startup"
# Large enough for `auto` to take Numba.
SHAPE = {"tiny": (15_000, 16), "full": (50_000, 32)}

_IMPORT = """
import json, sys, time
started = time.perf_counter()
import {module}
seconds = time.perf_counter() - started
sys.stdout.write("\\n" + json.dumps({{"seconds": seconds}}))
"""

_FIRST_FIT = """
import json, sys, time
# Imports are not what is measured, whoever would do them first.
import numba, scipy.sparse, sklearn.linear_model
import xpfit.estimators
from xpfit.bench.row_startup import first_fits
answer = first_fits(int(sys.argv[1]), int(sys.argv[2]))
sys.stdout.write("\\n" + json.dumps(answer))
"""


def first_fits(n_samples: int, n_features: int) -> dict[str, Any]:
    """Seconds of the first fit of this process, and of the second."""
    from ..estimators import LogisticRegression

    X = gaussian(n_samples, n_features)
    y = draw_labels(X @ np.full(n_features, n_features**-0.5))
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        model = LogisticRegression().fit(X, y)
        seconds.append(time.perf_counter() - started)
    return {"seconds": seconds[0], "second": seconds[1], "backend": model.backend_}


def _import_seconds(module: str, rounds: int) -> float:
    code = _IMPORT.format(module=module)
    return statistics.median(run_code(code)[0]["seconds"] for _ in range(rounds))


def run(size: Size, rounds: int | None = None) -> dict[str, Any]:
    """Measure the row."""
    rounds = rounds_for(size, rounds, 5)
    n_samples, n_features = SHAPE[size]
    row = Row(
        KEY,
        f"import, and LogisticRegression().fit on {n_samples:,} x {n_features} float64, in fresh "
        f"processes, medians of {rounds}",
    )
    row.add("import xpfit", _import_seconds("xpfit", rounds), 0.3, unit="s")
    row.add("import numpy", _import_seconds("numpy", rounds), unit="s")
    row.add("import xpfit.estimators", _import_seconds("xpfit.estimators", rounds), unit="s")
    sklearn = _import_seconds("sklearn.linear_model", rounds)
    row.add("import sklearn.linear_model", sklearn, unit="s")
    warm, cold, second, announced, backend = [], [], [], True, ""
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            fresh = {"XPFIT_CACHE_DIR": f"{folder}/xpfit", "NUMBA_CACHE_DIR": f"{folder}/numba"}
            shape = (str(n_samples), str(n_features))
            answer, said = run_code(_FIRST_FIT, *shape, environment=fresh)
            cold.append(answer["seconds"])
            announced = announced and "compiling the Numba kernel" in said
            # The same folder, now filled: the next process of the same user.
            answer, _ = run_code(_FIRST_FIT, *shape, environment=fresh)
            warm.append(answer["seconds"])
            second.append(answer["second"])
            backend = answer["backend"]
    row.add(
        "first fit of a process, kernels cached, beyond imports", statistics.median(warm), 1.5,
        unit="s",
    )  # fmt: skip
    row.add("second fit of that process", statistics.median(second), unit="s")
    row.add("first fit ever, beyond imports", statistics.median(cold), 15.0, unit="s")
    row.notes.append(f"Backend: {backend}.")
    row.notes.append(
        "The first fit ever said that it compiles."
        if announced
        else "The first fit ever did NOT say that it compiles."
    )
    return row.as_dict()
