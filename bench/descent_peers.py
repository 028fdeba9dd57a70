"""One epoch of mini-batch Adam as users of other libraries write it: PyTorch's loop, a JAX `scan`.

Every call starts from zero and takes the batches of one given order, so all end at the same place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..backends import get_backend
from ..core.loss import Loss
from ..core.minibatch import begin, minibatch_epoch, plan_epoch
from ..core.optimizers import Adam
from .peers import jax_in_64_bits

RATE = 1e-3
Epoch = Callable[[], "np.ndarray[Any, Any]"]


def our_epoch(
    name: str, X: Any, y: Any, order: Any, batch_size: int, loss: Loss, n_outputs: int
) -> Epoch:
    """`core.minibatch` on the arrays of a backend; theta after the epoch."""

    def prepared() -> Epoch:
        backend = get_backend(name)
        X_there, y_there = backend.from_numpy(X), backend.from_numpy(y)
        zero = backend.from_numpy(np.zeros((X.shape[1] + 1, n_outputs)))

        def run() -> np.ndarray[Any, Any]:
            plan = plan_epoch(Adam(RATE), X.shape[0], batch_size)
            found, _ = minibatch_epoch(
                X_there, y_there, None, order, begin(Adam(RATE), zero), plan, loss,
                backend=backend,
            )  # fmt: skip
            return backend.to_numpy(found.theta)

        return run

    return _in_64_bits(prepared) if name == "jax" else prepared()


def _in_64_bits(prepared: Callable[[], Epoch]) -> Epoch:
    with jax_in_64_bits():
        inner = prepared()

    def run() -> np.ndarray[Any, Any]:
        with jax_in_64_bits():
            return inner()

    return run


def torch_epoch(X: Any, y: Any, order: Any, batch_size: int, n_outputs: int) -> Epoch:
    """The usual loop: index, forward, `backward`, `step`. One thread: two took longer on this."""
    import torch
    from torch.nn import functional

    X_there, y_there, rows = (torch.from_numpy(np.ascontiguousarray(a)) for a in (X, y, order))

    def run() -> np.ndarray[Any, Any]:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            layer = torch.nn.Linear(X.shape[1], n_outputs, dtype=torch.float64)
            torch.nn.init.zeros_(layer.weight)
            torch.nn.init.zeros_(layer.bias)
            optimizer = torch.optim.Adam(layer.parameters(), lr=RATE)
            for chosen in torch.split(rows, batch_size):
                optimizer.zero_grad()
                raw, target = layer(X_there[chosen]), y_there[chosen]
                if n_outputs == 1:
                    cost = functional.binary_cross_entropy_with_logits(raw[:, 0], target)
                else:
                    cost = functional.cross_entropy(raw, target)
                cost.backward()
                optimizer.step()
        finally:
            torch.set_num_threads(threads)
        W, b = layer.weight.detach().numpy(), layer.bias.detach().numpy()
        return np.concatenate([W.T, b[None, :]])

    return run


def optax_epoch(X: Any, y: Any, order: Any, batch_size: int, n_outputs: int) -> Epoch:
    """A jitted `scan` over whole batches, with optax's Adam and its losses."""

    def prepared() -> Epoch:
        import jax
        import jax.numpy as jnp
        import optax

        optimizer = optax.adam(RATE)
        batches = jnp.asarray(order.reshape(-1, batch_size).astype(np.int32))
        X_there, y_there = jnp.asarray(X), jnp.asarray(y)

        def cost(params: Any, X: Any, y: Any) -> Any:
            raw = X @ params[0] + params[1]
            if n_outputs == 1:
                return optax.sigmoid_binary_cross_entropy(raw[:, 0], y).mean()
            return optax.softmax_cross_entropy_with_integer_labels(raw, y).mean()

        @jax.jit
        def epoch(X: Any, y: Any, batches: Any) -> Any:
            def step(carried: Any, rows: Any) -> Any:
                params, state = carried
                grads = jax.grad(cost)(params, X[rows], y[rows])
                updates, state = optimizer.update(grads, state, params)
                return (optax.apply_updates(params, updates), state), None

            zero = jnp.zeros((X.shape[1], n_outputs)), jnp.zeros(n_outputs)
            (params, _), _ = jax.lax.scan(step, (zero, optimizer.init(zero)), batches)
            return jnp.concatenate([params[0], params[1][None, :]])

        return lambda: np.asarray(epoch(X_there, y_there, batches))

    return _in_64_bits(prepared)
