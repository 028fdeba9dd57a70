"""Writes `torch.npz`: what PyTorch's optimizers, schedules, clipping and averages find in float64.

    python tests/references/make_torch.py

`test_stored_references.py` calls `computed` where PyTorch is installed, and compares.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from descent_cases import EMA_DECAY, GRADS, MAX_NORMS, points
from optimizer_cases import CASES, N_STEPS, PROBLEM
from schedule_cases import N_RATES, TORCH
from stored_references import write

from xpfit.core.optimizers import leaves

Arrays = dict[str, np.ndarray[Any, Any]]


def _optimizers() -> Arrays:
    import torch

    found: Arrays = {}
    for name, case in CASES.items():
        if case.torch is None:
            continue
        kind, options = case.torch
        params = {k: torch.tensor(v, requires_grad=True) for k, v in PROBLEM.start.items()}
        optimizer = getattr(torch.optim, kind)(list(params.values()), **options)
        steps: dict[str, list[Any]] = {key: [] for key in params}
        for step in range(N_STEPS):
            for key, value in params.items():
                gradient = PROBLEM.gradient(key, step, value.detach().numpy())
                value.grad = torch.as_tensor(gradient)
            optimizer.step()
            for key, value in params.items():
                steps[key].append(value.detach().numpy().copy())
        found |= {f"optimizer/{name}/{key}": np.stack(kept) for key, kept in steps.items()}
    return found


def _rates(make: Any) -> np.ndarray[Any, Any]:
    import torch

    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
    rates = []
    with warnings.catch_warnings():
        # It wants to be stepped once more, or less often than it is asked.
        warnings.simplefilter("ignore")
        scheduler = make(optimizer)
        for step in range(N_RATES):
            rates.append(optimizer.param_groups[0]["lr"])
            if step < N_RATES - 1:  # OneCycleLR ends there
                optimizer.step()
                scheduler.step()
    return np.asarray(rates)


def _schedules() -> Arrays:
    from torch.optim import lr_scheduler

    found: Arrays = {}
    for name, (_, (kind, options)) in TORCH.items():
        if kind == "OneCycleLR":
            options = {"max_lr": 0.5, "cycle_momentum": False, **options}
        found[f"schedule/{name}"] = _rates(
            lambda optimizer, kind=kind, options=options: getattr(lr_scheduler, kind)(
                optimizer, **options
            )
        )

    def sequence(optimizer: Any) -> Any:
        line = lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=20)
        decay = lr_scheduler.ExponentialLR(optimizer, gamma=0.97)
        return lr_scheduler.SequentialLR(optimizer, [line, decay], milestones=[20])

    found["schedule/warm-up then decay"] = _rates(sequence)
    return found


def _clipping() -> Arrays:
    import torch

    found: Arrays = {}
    for max_norm in MAX_NORMS:
        params = [torch.zeros(g.shape, dtype=torch.float64) for g in leaves(GRADS)]
        for p, g in zip(params, leaves(GRADS), strict=True):
            p.grad = torch.as_tensor(g.copy())
        norm = torch.nn.utils.clip_grad_norm_(params, max_norm)
        found[f"clipping/{max_norm}/norm"] = norm.numpy()
        for i, p in enumerate(params):
            found[f"clipping/{max_norm}/{i}"] = p.grad.numpy()
    return found


def _averages() -> Arrays:
    import torch
    from torch.optim import swa_utils

    model = torch.nn.Linear(3, 1, bias=False, dtype=torch.float64)
    kinds = {
        "polyak": swa_utils.AveragedModel(model),
        "exponential": swa_utils.AveragedModel(
            model, multi_avg_fn=swa_utils.get_ema_multi_avg_fn(EMA_DECAY)
        ),
    }
    kept: dict[str, list[Any]] = {name: [] for name in kinds}
    for value in points(20):
        with torch.no_grad():
            model.weight.copy_(torch.as_tensor(value["w"]))
        for name, averaged in kinds.items():
            averaged.update_parameters(model)
            kept[name].append(averaged.module.weight.detach().numpy()[0].copy())
    return {f"average/{name}": np.stack(steps) for name, steps in kept.items()}


def computed() -> Arrays:
    """All that is stored, from the PyTorch that is installed."""
    return {**_optimizers(), **_schedules(), **_clipping(), **_averages()}


if __name__ == "__main__":
    import torch

    made_with = np.asarray([f"torch {torch.__version__}", f"numpy {np.__version__}"])
    write("torch", {"versions": made_with, **computed()})
