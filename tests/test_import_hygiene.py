"""``import xpfit`` loads NumPy and nothing else heavy, and leaves the process as it found it.

Each test asks a fresh interpreter, because this one has long imported everything.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from typing import Any

import pytest

import xpfit

HEAVY = ("cupy", "jax", "matplotlib", "numba", "pandas", "polars", "pyarrow", "rich", "scipy")
HEAVY += ("sklearn", "torch", "typer", "dask")

# What a layer may not pull in when it is imported. Above core, SciPy and Numba are fair.
FORBIDDEN = {
    "xpfit": HEAVY,
    "xpfit.backends": HEAVY,
    "xpfit.core": ("cupy", "jax", "matplotlib", "pandas", "pyarrow", "sklearn", "torch", "typer"),
    "xpfit.data": ("cupy", "jax", "matplotlib", "sklearn", "torch", "typer"),
    "xpfit.estimators": ("cupy", "jax", "matplotlib", "torch", "typer"),
}

# The public face. A change here is a change that users see: it belongs in CHANGELOG.md too.
PUBLIC = {
    "DescentPath",
    "ElasticNet",
    "ElasticNetCV",
    "GeneralizedLinearRegressor",
    "HuberRegressor",
    "Lasso",
    "LassoCV",
    "LinearRegression",
    "LogisticRegression",
    "LogisticRegressionCV",
    "MLPClassifier",
    "MLPRegressor",
    "PoissonRegressor",
    "ProgressBar",
    "RegularizationPath",
    "Ridge",
    "RidgeCV",
    "SGDClassifier",
    "SGDRegressor",
    "__version__",
    "available_backends",
    "get_backend",
    "load",
    "plots",
    "regularization_path",
    "use_backend",
    "use_fused",
}


def ask(code: str) -> Any:
    """Run ``code`` in a fresh interpreter and return what it stored in ``answer``."""
    script = f"import json, sys\n{code}\nsys.stdout.write('\\n' + json.dumps(answer))"
    # What a user has: conftest.py sets JAX to 64 bits, and then nobody would see us do it.
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("JAX_", "XPFIT_"))}
    command = [sys.executable, "-P", "-c", script]
    done = subprocess.run(command, env=kept, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def loaded_after(statement: str) -> set[str]:
    """Return the top-level names that ``statement`` adds to ``sys.modules``."""
    code = f"before = set(sys.modules)\n{statement}\nanswer = sorted(set(sys.modules) - before)"
    return {name.partition(".")[0] for name in ask(code)}


@pytest.mark.parametrize("module", FORBIDDEN)
def test_import_loads_nothing_heavy(module: str) -> None:
    loaded = loaded_after(f"import {module}")
    assert loaded & set(FORBIDDEN[module]) == set()
    assert "xpfit" in loaded


def test_the_probe_sees_a_heavy_import() -> None:
    assert "scipy" in loaded_after("import xpfit, scipy") & set(HEAVY)


def test_import_loads_only_numpy_besides_the_standard_library() -> None:
    foreign = loaded_after("import xpfit") - sys.stdlib_module_names - {"xpfit", "numpy"}
    # An editable install's finder is loaded at start-up; compiled helpers start with an underscore.
    assert {name for name in foreign if not name.startswith("_")} == set()


def test_import_loads_few_of_our_modules_and_little_memory() -> None:
    answer = ask(
        "import numpy, tracemalloc\n"
        "tracemalloc.start()\n"
        "import xpfit\n"
        "ours = [name for name in sys.modules if name.partition('.')[0] == 'xpfit']\n"
        "answer = [ours, tracemalloc.get_traced_memory()[1]]"
    )
    modules, peak_bytes = answer
    assert modules == ["xpfit"]
    assert peak_bytes < 2_000_000


STATE = """
import json, locale, logging, os, random, signal, sys, threading, warnings
import numpy

def state():
    return {
        "errors": str(numpy.geterr()),
        "print options": str(numpy.get_printoptions()),
        "environment": dict(os.environ),
        "random": str(random.getstate()),
        "numpy random": str(numpy.random.get_state()),
        "locale": locale.setlocale(locale.LC_ALL),
        "interrupt": str(signal.getsignal(signal.SIGINT)),
        "threads": threading.active_count(),
        "log handlers": str(logging.getLogger().handlers),
        "recursion limit": sys.getrecursionlimit(),
        "warnings": str(warnings.filters),
    }

before = state()
"""
COMPARE = "\nafter = state()\nanswer = [key for key in before if before[key] != after[key]]"


@pytest.mark.parametrize("module", FORBIDDEN)
def test_import_changes_nothing_global(module: str) -> None:
    # sklearn.linear_model sets environment variables, adds a warning filter and draws from
    # `random`. That is its doing: it comes first, and then nothing may change any more.
    first = "import sklearn.linear_model" if module == "xpfit.estimators" else ""
    assert ask(f"{first}{STATE}import {module}{COMPARE}") == []


def test_the_probe_sees_a_global_change() -> None:
    assert ask(f"{STATE}numpy.seterr(all='raise'){COMPARE}") == ["errors"]


def test_using_the_numpy_backend_loads_no_other_array_library() -> None:
    loaded = loaded_after("import numpy, xpfit\nxpfit.get_backend('numpy')")
    assert loaded & {"cupy", "jax", "numba", "torch", "sklearn", "dask"} == set()


def test_the_jax_backend_leaves_jax_as_it_was() -> None:
    if importlib.util.find_spec("jax") is None:
        pytest.skip("jax is not installed: it has no flags to change")
    changed = ask(
        "import jax\n"
        "before = dict(jax.config.values)\n"
        "import xpfit\n"
        "xpfit.get_backend('jax')\n"
        "after = dict(jax.config.values)\n"
        "answer = [key for key in after if before.get(key) != after[key]]"
    )
    assert changed == []


def test_the_public_face_is_pinned() -> None:
    assert set(xpfit.__all__) == PUBLIC
    assert sorted(set(xpfit.__all__)) == sorted(xpfit.__all__)
    assert set(dir(xpfit)) == PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_public_name_resolves_and_is_documented(name: str) -> None:
    value = getattr(xpfit, name)
    if name != "__version__":
        assert (value.__doc__ or "").strip(), f"xpfit.{name} has no docstring"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'LogisticRegresion'"):
        _ = xpfit.LogisticRegresion
