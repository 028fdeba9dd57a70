"""Peers on the ladder: scikit-learn and PyTorch, where they are installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...backends.numba_kernels.threads import n_threads
from ..peers import has, sklearn_pass, torch_pass
from .case import Contestant


def sklearn_logistic_pass(X: Any, y: Any, w: Any, b: Any) -> Contestant | None:
    """scikit-learn's LinearModelLoss."""
    if not has("sklearn"):
        return None
    return sklearn_pass(X, y, w, float(b[0]), n_threads())


def torch_logistic_pass(X: Any, y: Any, w: Any, b: Any) -> Contestant | None:
    """PyTorch's autograd."""
    if not has("torch"):
        return None
    return torch_pass(X, y, w, float(b[0]), n_threads())


def torch_on(function: Callable[..., Any]) -> Callable[..., Contestant | None]:
    """A rung that applies `function(torch, *tensors)` to tensors that share NumPy's memory."""

    def prepare(*inputs: Any) -> Contestant | None:
        if not has("torch"):
            return None
        import torch

        torch.set_num_threads(n_threads())
        tensors = [torch.from_numpy(array) for array in inputs]
        return lambda: function(torch, *tensors).numpy()

    return prepare
