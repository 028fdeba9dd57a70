"""Fixtures for every test: one `backend` that runs a test on each array library.

Two targets exist only here: NumPy with read-only arrays (a kernel that writes to its arguments
fails on it) and array-api-strict (a call outside the standard fails on it). JAX comes twice: with
its compiled kernels, and with the generic ones evaluated operation by operation. The second
compiles each operation for each shape, some 0.05 s each, and a whole fit has hundreds: tests marked
`whole_fit` go without it. Tests of passes, objectives, layers and optimizers run on it, and those
of L-BFGS and Newton's method (`test_solvers.py`), of L1 paths (`test_path.py`) and of epochs.

A target that cannot be used skips with its reason, unless XPFIT_REQUIRED_BACKENDS names it
("numpy,numba,jax,array-api-strict"): then the test fails.
"""

from __future__ import annotations

import dataclasses
import functools
import gc
import os
from collections.abc import Iterator

# Before anything imports jax. Subprocess tests cover its 32-bit mode.
os.environ["JAX_ENABLE_X64"] = "1"

import numpy as np
import pytest

from xpfit.backends import Backend, BackendUnavailableError, get_backend
from xpfit.estimators import _crossover

TARGETS = (
    "numpy",
    "numpy-read-only",
    "numba",
    "jax",
    "jax-generic",
    "array-api-strict",
    "cupy",
)


@pytest.fixture(autouse=True, scope="session")
def crossover_of_no_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What `xpfit bench` measured on this machine must not decide which backend a test uses."""
    with pytest.MonkeyPatch.context() as patch:
        path = tmp_path_factory.mktemp("crossover") / "crossover.json"
        patch.setattr(_crossover, "crossover_file", lambda: path)
        _crossover.auto_crossover.cache_clear()
        yield


def _read_only(array: np.ndarray) -> np.ndarray:
    # Order "K": a Fortran array stays one.
    result = np.array(array, order="K", copy=True)
    result.flags.writeable = False
    return result


def _strict() -> Backend:
    import array_api_strict as xp

    return dataclasses.replace(
        get_backend("numpy"),
        name="array-api-strict",
        version=xp.__version__,
        xp=xp,
        array_type=type(xp.zeros(1)),
        from_numpy=xp.asarray,
        to_numpy=np.asarray,
        compute_dtype=lambda dtype: xp.float64,
        cholesky=None,
        # Small, so that even the small tables of the tests take several blocks.
        block_bytes=1,
    )


@functools.cache
def _target(name: str) -> Backend | Exception:
    try:
        if name == "numpy-read-only":
            return dataclasses.replace(get_backend("numpy"), from_numpy=_read_only)
        if name == "jax-generic":
            return dataclasses.replace(get_backend("jax"), kernels={}, block_bytes=1)
        if name == "array-api-strict":
            return _strict()
        return get_backend(name, source=f"the test target {name}")
    except (BackendUnavailableError, ImportError) as problem:
        return problem


def required_backends() -> set[str]:
    """The targets that XPFIT_REQUIRED_BACKENDS names."""
    text = os.environ.get("XPFIT_REQUIRED_BACKENDS", "")
    names = {name.strip() for name in text.split(",") if name.strip()}
    unknown = names - set(TARGETS)
    if unknown:
        message = f"XPFIT_REQUIRED_BACKENDS names {sorted(unknown)}; known: {', '.join(TARGETS)}"
        raise pytest.UsageError(message)
    return names


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a misspelt requirement before any test runs."""
    required_backends()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Take the modules and the tests themselves, which stay to the end, from garbage collection.

    They are some 600,000 objects, and every timed comparison collects several times.
    """
    gc.freeze()


def usable_target(name: str) -> Backend:
    """The record of a test target; skips the test, or fails it if the target is required."""
    target = _target(name)
    if isinstance(target, Backend):
        return target
    reason = f"{name}: {target}"
    # "jax" asks for both ways of running it.
    if required_backends() & {name, name.removesuffix("-generic").removesuffix("-read-only")}:
        pytest.fail(f"required by XPFIT_REQUIRED_BACKENDS, but {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(
    params=[
        pytest.param(name, marks=pytest.mark.gpu) if name == "cupy" else name for name in TARGETS
    ]
)
def backend(request: pytest.FixtureRequest) -> Backend:
    """One array library after the other, as a `Backend`."""
    if request.param == "jax-generic" and request.node.get_closest_marker("whole_fit"):
        pytest.skip("a whole fit, operation by operation on JAX: NumPy runs the same code")
    return usable_target(request.param)


@pytest.fixture
def jax_backend() -> Backend:
    """The record of JAX, for what only JAX does."""
    return usable_target("jax")


@pytest.fixture
def cupy_backend() -> Backend:
    """The record of CuPy, for what only CuPy does; tests that take it are marked `gpu`."""
    return usable_target("cupy")


@pytest.fixture
def emulation() -> Iterator[Backend]:
    """A backend whose fused passes are CuPy's, run on the CPU thread by thread."""
    import cuda_emulation

    if reason := cuda_emulation.why_not():
        pytest.skip(reason)
    with cuda_emulation.emulated_backend() as record:
        yield record


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    # A test that needs one of these sets it itself.
    monkeypatch.delenv("XPFIT_BACKEND", raising=False)
    monkeypatch.delenv("XPFIT_FUSED", raising=False)
