"""The stored results of other libraries are what these libraries find, where they are installed."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest
from stored_references import FOLDER, stored

MAKERS = {"torch": 1e-12, "torch_networks": 1e-10, "statsmodels": 1e-7}


def library_of(name: str) -> str:
    return name.partition("_")[0]


@pytest.mark.parametrize("name", MAKERS)
def test_the_library_finds_what_is_stored(name: str) -> None:
    library = library_of(name)
    pytest.importorskip(library, reason=f"{library} is not installed to compare with")
    maker: Any = importlib.import_module(f"references.make_{name}")
    kept, found = stored(name), maker.computed()
    assert kept.keys() == {"versions", *found}
    for key, value in found.items():
        assert value.dtype == kept[key].dtype == np.float64
        np.testing.assert_allclose(kept[key], value, rtol=MAKERS[name], atol=1e-13, err_msg=key)


@pytest.mark.parametrize("name", MAKERS)
def test_what_is_stored_says_what_made_it_and_is_small(name: str) -> None:
    made_with = [line.split()[0] for line in stored(name)["versions"]]
    assert made_with == [library_of(name), "numpy"]
    assert (FOLDER / f"{name}.npz").stat().st_size < 300_000
