"""Schedules and what they are called in PyTorch, with a learning rate of 0.5."""

from __future__ import annotations

import math

from xpfit.core.schedules import (
    Cosine,
    Exponential,
    InverseTime,
    OneCycle,
    StepHalving,
    WarmUp,
)

N_RATES = 200
TORCH = {
    "inverse_time": (
        InverseTime(0.5, decay=0.05),
        ("LambdaLR", {"lr_lambda": lambda step: 1.0 / (1.0 + 0.05 * step)}),
    ),
    "exponential": (Exponential(0.5, decay=-math.log(0.97)), ("ExponentialLR", {"gamma": 0.97})),
    "halving": (
        StepHalving(0.5, every=30, factor=0.3), ("StepLR", {"step_size": 30, "gamma": 0.3})
    ),
    "cosine": (
        Cosine(0.5, period=17, minimum=0.01),
        ("CosineAnnealingWarmRestarts", {"T_0": 17, "eta_min": 0.01}),
    ),
    "cosine-longer": (
        Cosine(0.5, period=7, period_factor=3),
        ("CosineAnnealingWarmRestarts", {"T_0": 7, "T_mult": 3}),
    ),
    "cosine-once": (
        Cosine(0.5, period=199, restarts=False), ("CosineAnnealingLR", {"T_max": 199})
    ),
    "one_cycle": (OneCycle(0.5, total_steps=200), ("OneCycleLR", {"total_steps": 200})),
    "one_cycle-three": (
        OneCycle(
            0.5, 200, warm_up_share=0.23, start_divisor=7.0, end_divisor=90.0, three_phase=True
        ),
        (
            "OneCycleLR",
            {
                "total_steps": 200, "pct_start": 0.23, "div_factor": 7.0,
                "final_div_factor": 90.0, "three_phase": True,
            },
        ),
    ),
    "warm_up": (WarmUp(40, 0.5), ("LinearLR", {"total_iters": 40})),
}  # fmt: skip
# LinearLR from 0.1 for 20 steps, then ExponentialLR with gamma 0.97.
WARM_UP_THEN_DECAY = WarmUp(20, Exponential(0.5, decay=-math.log(0.97)), start=0.1)
