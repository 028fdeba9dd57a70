"""The machinery of the tests itself: the helper that compares, the fixture that skips or fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import assert_matches

from xpfit.backends import Backend
from xpfit.core.gradient_check import finite_difference

TESTS = Path(__file__).resolve().parent
ONE_TEST = "test_backends_records.py::test_the_operations_of_a_record"


def test_assert_matches_sees_every_difference(backend: Backend) -> None:
    array = np.asarray([1.0, 2.0])
    actual = backend.from_numpy(array)
    assert_matches(actual, array, backend=backend, rtol=0.0)
    for wrong, text in (
        (np.asarray([1.0, 2.0], np.float32), "dtype float64, expected float32"),
        (np.asarray([[1.0, 2.0]]), "shape"),
        (np.asarray([1.0, 2.001]), "tolerance"),
        (np.asarray([1.0, np.nan]), "nan"),
    ):
        with pytest.raises(AssertionError, match=f"(?i){text}"):
            assert_matches(actual, wrong, backend=backend, rtol=1e-6)
    other = array.tolist() if backend.array_type is np.ndarray else array
    with pytest.raises(AssertionError, match="was expected, not"):
        assert_matches(other, array, backend=backend, rtol=1e-6)


def test_differences_are_of_fourth_order() -> None:
    x = np.linspace(0.5, 2.0, 7)
    errors = [
        np.max(np.abs(finite_difference(np.exp, x, step) - np.exp(x))) for step in (0.1, 0.05)
    ]
    assert errors[0] / errors[1] == pytest.approx(16.0, rel=0.05)


@pytest.mark.parametrize("backend", ["numpy-read-only"], indirect=True)
def test_a_read_only_target_makes_read_only_arrays(backend: Backend) -> None:
    array = np.asfortranarray(np.ones((2, 3)))
    moved = backend.from_numpy(array)
    assert not moved.flags.writeable
    assert moved.flags.f_contiguous
    assert array.flags.writeable


def run_pytest(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=TESTS.parent,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("required", "summary"),
    [("", "1 skipped"), ("numpy,cupy", "1 error"), ("cuppy", "XPFIT_REQUIRED_BACKENDS names")],
)
def test_a_required_backend_fails_where_another_skips(required: str, summary: str) -> None:
    # With every device hidden, CuPy cannot be used wherever this runs.
    done = run_pytest(
        f"tests/{ONE_TEST}[cupy]", CUDA_VISIBLE_DEVICES="-1", XPFIT_REQUIRED_BACKENDS=required
    )
    said = done.stdout + done.stderr
    assert summary in said
    if required != "cuppy":
        assert "backend 'cupy' (from the test target cupy) is" in said
    if "numpy" in required:
        assert "required by XPFIT_REQUIRED_BACKENDS, but cupy: " in said
