"""What every record offers, and what is known of arrays without importing their library."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
from helpers import python_output

from xpfit import backends
from xpfit.backends import Backend, as_backend_array


@pytest.mark.parametrize("name", ["numpy", "numba", "cupy", "jax"])
def test_every_backend_module_has_the_two_functions(name: str) -> None:
    module = import_module(f"xpfit.backends.{name}_backend")
    assert callable(module.make)
    assert callable(module.devices)


def test_the_operations_of_a_record(backend: Backend) -> None:
    array = np.asarray([[1.0, 2.0], [3.0, 4.0]])
    moved = backend.from_numpy(array)
    assert isinstance(moved, backend.array_type)
    back = backend.to_numpy(moved)
    assert type(back) is np.ndarray
    np.testing.assert_array_equal(back, array)
    backend.synchronize(moved)
    doubled = backend.jit(lambda x: x + x)(moved)
    np.testing.assert_array_equal(backend.to_numpy(doubled), 2 * array)
    name = str(backend.compute_dtype(moved.dtype))
    assert name.endswith("float64")
    assert backend.version
    assert backend.device


def test_at_add_adds_up_repeated_indices_in_a_new_array(backend: Backend) -> None:
    if backend.name == "array-api-strict":
        pytest.skip("array-api-strict: the record of the tests borrows NumPy's at_add")
    x = backend.from_numpy(np.asarray([1.0, 2.0, 3.0]))
    index = backend.from_numpy(np.asarray([0, 2, 0]))
    values = backend.from_numpy(np.asarray([10.0, 20.0, 30.0]))
    result = backend.at_add(x, index, values)
    np.testing.assert_array_equal(backend.to_numpy(result), [41.0, 2.0, 23.0])
    np.testing.assert_array_equal(backend.to_numpy(x), [1.0, 2.0, 3.0])


def test_every_public_name_exists() -> None:
    assert len(set(backends.__all__)) == len(backends.__all__)
    assert all(hasattr(backends, name) for name in backends.__all__)


def test_other_things_pass_through(backend: Backend) -> None:
    array = backend.from_numpy(np.zeros(3))
    assert as_backend_array(array) is array
    rows = [[1.0]]
    assert as_backend_array(rows) is rows


def test_telling_arrays_apart_imports_no_library() -> None:
    code = """
import sys
import numpy as np
from xpfit.backends import as_backend_array, backend_of, describe_array
as_backend_array(np.zeros(2)); backend_of(np.zeros(2), [1.0]); describe_array(np.zeros(2))
print(sorted({"jax", "torch", "cupy", "numba", "scipy", "sklearn"} & set(sys.modules)))
"""
    assert python_output(code) == "[]"


def test_set_row_replaces_one_row(backend: Backend) -> None:
    x = backend.from_numpy(np.arange(6.0).reshape(3, 2)) + 0.0  # an array of our own
    result = backend.set_row(x, 1, backend.from_numpy(np.asarray([7.0, 8.0])))
    np.testing.assert_array_equal(backend.to_numpy(result), [[0.0, 1.0], [7.0, 8.0], [4.0, 5.0]])
