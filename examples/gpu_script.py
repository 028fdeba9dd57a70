"""Call xpfit from a script whose arrays live on a device: nothing is moved to the host but scalars.

    python examples/gpu_script.py [cupy | jax]

Standardizes columns, fits, predicts and scores, all in the library's own arrays. Without a GPU it
runs with `jax`, on the CPU.
"""

from __future__ import annotations

import os
import sys

# JAX keeps 32 bits unless it is told before it is imported; this process is ours to tell.
os.environ.setdefault("JAX_ENABLE_X64", "1")

import numpy as np

from xpfit import LogisticRegression, get_backend

N_SAMPLES, N_FEATURES = 100_000, 32


def main(name: str) -> int:
    """Fit on device arrays and predict on them."""
    backend = get_backend(name, source="examples/gpu_script.py")
    xp = backend.xp
    rng = np.random.default_rng(0)
    X = backend.from_numpy(rng.standard_normal((N_SAMPLES, N_FEATURES)))
    noise = backend.from_numpy(rng.logistic(size=N_SAMPLES))
    X = (X - xp.mean(X, axis=0)) / xp.std(X, axis=0)
    y = xp.astype(X[:, 0] - 0.5 * X[:, 1] + noise > 0.0, xp.int64)

    model = LogisticRegression().fit(X, y)  # the arrays say which backend
    predicted = model.predict(X)
    accuracy = float(xp.mean(xp.astype(predicted == y, xp.float64)))
    sys.stdout.write(
        f"{model.backend_} on {backend.device}: accuracy {accuracy:.3f} after "
        f"{model.n_passes_} passes; predictions are {type(predicted).__module__} arrays\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "jax"))
