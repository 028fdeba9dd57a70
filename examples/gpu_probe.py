"""Is there a GPU that xpfit can use, and do fits on it agree with those on NumPy?

    python examples/gpu_probe.py

Prints what is found and one line for each library. Ends with exit code 1 where no device can be
used: a script that hosts xpfit on a GPU may ask this first.
"""

from __future__ import annotations

import sys
import time

import numpy as np

import xpfit
from xpfit import LogisticRegression

N_SAMPLES, N_FEATURES = 200_000, 64


def main() -> int:
    """Probe, fit, compare."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_SAMPLES, N_FEATURES), dtype=np.float32)
    y = (X[:, 0] - X[:, 1] + rng.logistic(size=N_SAMPLES) > 0.0).astype(np.int64)
    reference = LogisticRegression(backend="numpy").fit(X, y)
    found = 0
    for status in xpfit.available_backends():
        if not status.available:
            sys.stdout.write(f"{status.name}: no. {status.reason}\n")
            continue
        devices = [str(device) for device in status.devices if "cpu" not in str(device).lower()]
        if not devices:
            sys.stdout.write(f"{status.name}: no device but the CPU\n")
            continue
        found += 1
        model = LogisticRegression(backend=status.name).fit(X, y)  # compiles
        started = time.perf_counter()
        model = LogisticRegression(backend=status.name).fit(X, y)
        seconds = time.perf_counter() - started
        difference = float(np.abs(model.coef_ - reference.coef_).max())
        sys.stdout.write(
            f"{status.name} on {', '.join(devices)}: second fit {seconds:.3f} s with the transfer, "
            f"{model.n_passes_} passes, coefficients within {difference:.1e} of NumPy's\n"
        )
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
