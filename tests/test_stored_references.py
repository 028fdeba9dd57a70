"""The stored results of other libraries are what these libraries find, where they are installed."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest
from stored_references import FOLDER, stored

MAKERS = {"torch": 1e-12, "statsmodels": 1e-7}


@pytest.mark.parametrize("library", MAKERS)
def test_the_library_finds_what_is_stored(library: str) -> None:
    pytest.importorskip(library, reason=f"{library} is not installed to compare with")
    maker: Any = importlib.import_module(f"references.make_{library}")
    kept, found = stored(library), maker.computed()
    assert kept.keys() == {"versions", *found}
    for name, value in found.items():
        assert value.dtype == kept[name].dtype == np.float64
        np.testing.assert_allclose(
            kept[name], value, rtol=MAKERS[library], atol=1e-14, err_msg=name
        )


@pytest.mark.parametrize("library", MAKERS)
def test_what_is_stored_says_what_made_it_and_is_small(library: str) -> None:
    assert [line.split()[0] for line in stored(library)["versions"]] == [library, "numpy"]
    assert (FOLDER / f"{library}.npz").stat().st_size < 300_000
