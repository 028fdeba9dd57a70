"""Writes `statsmodels.npz`: what its logistic regression says of the data of `test_summary.py`.

    python tests/references/make_statsmodels.py

`test_stored_references.py` calls `computed` where statsmodels is installed, and compares.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from stored_references import write
from summary_data import LEVEL, mixed


def computed() -> dict[str, np.ndarray[Any, Any]]:
    """All that is stored, from the statsmodels that is installed."""
    from statsmodels.discrete.discrete_model import Logit
    from statsmodels.tools import add_constant

    X, y = mixed()
    found = Logit(y, add_constant(X, prepend=False)).fit(
        method="newton", tol=1e-14, disp=False, warn_convergence=False
    )
    return {
        "estimate": np.asarray(found.params),
        "standard_error": np.asarray(found.bse),
        "z": np.asarray(found.tvalues),
        "p_value": np.asarray(found.pvalues),
        "interval": np.asarray(found.conf_int(alpha=1.0 - LEVEL)),
    }


if __name__ == "__main__":
    import statsmodels

    made_with = np.asarray([f"statsmodels {statsmodels.__version__}", f"numpy {np.__version__}"])
    write("statsmodels", {"versions": made_with, **computed()})
