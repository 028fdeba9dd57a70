"""What the tests of optimizers share: each variant, its name in PyTorch, and the paper's loop.

A loop moves one number, in plain Python: `loop(t, gradient_at, p, memory, rate)` is the parameter
after step t = 1, 2, ..., written straight from the equations; `memory` is a dict that it keeps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from xpfit.core.optimizers import SGD, AdaGrad, Adam, AdamW, Optimizer, RMSProp
from xpfit.core.schedules import InverseTime

N_STEPS = 100
Loop = Callable[..., float]


class Case(NamedTuple):
    """One variant of an optimizer."""

    optimizer: Optimizer
    loop: Loop
    torch: tuple[str, dict[str, Any]] | None = None


def plain_loop(weight_decay: float = 0.0) -> Loop:
    def loop(t, gradient_at, p, memory, rate):
        return p - rate * (gradient_at(p) + weight_decay * p)

    return loop


def momentum_loop(
    beta: float, dampening: float = 0.0, weight_decay: float = 0.0, average: bool = False
) -> Loop:
    def loop(t, gradient_at, p, memory, rate):
        g = gradient_at(p) + weight_decay * p
        if average:
            memory["v"] = beta * memory.get("v", 0.0) + (1 - beta) * g
        else:
            memory["v"] = g if t == 1 else beta * memory["v"] + (1 - dampening) * g
        return p - rate * memory["v"]

    return loop


def nesterov_loop(beta: float, weight_decay: float = 0.0, average: bool = False) -> Loop:
    def loop(t, gradient_at, p, memory, rate):
        gain = 1 - beta if average else 1.0
        g = gradient_at(p) + weight_decay * p
        memory["v"] = beta * memory.get("v", 0.0) + gain * g
        return p - rate * (gain * g + beta * memory["v"])

    return loop


def lookahead_loop(beta: float, weight_decay: float = 0.0, average: bool = False) -> Loop:
    def loop(t, gradient_at, p, memory, rate):
        v = memory.get("v", 0.0)
        there = p + beta * v
        gain = 1 - beta if average else 1.0
        memory["v"] = beta * v - rate * gain * (gradient_at(there) + weight_decay * there)
        return p + memory["v"]

    return loop


def adagrad_loop(
    epsilon: float, inside: bool = False, start: float = 0.0, weight_decay: float = 0.0
) -> Loop:
    def loop(t, gradient_at, p, memory, rate):
        g = gradient_at(p) + weight_decay * p
        memory["s"] = memory.get("s", start) + g**2
        s = memory["s"]
        return p - rate * g / (math.sqrt(s + epsilon) if inside else math.sqrt(s) + epsilon)

    return loop


def rmsprop_loop(
    beta: float,
    epsilon: float,
    inside: bool = False,
    momentum: float = 0.0,
    centered: bool = False,
    weight_decay: float = 0.0,
) -> Loop:
    def loop(t, gradient_at, p, memory, rate):
        g = gradient_at(p) + weight_decay * p
        memory["s"] = beta * memory.get("s", 0.0) + (1 - beta) * g**2
        memory["m"] = beta * memory.get("m", 0.0) + (1 - beta) * g
        s = memory["s"] - memory["m"] ** 2 if centered else memory["s"]
        root = math.sqrt(s + epsilon) if inside else math.sqrt(s) + epsilon
        memory["v"] = momentum * memory.get("v", 0.0) + g / root
        return p - rate * memory["v"]

    return loop


def adam_loop(
    beta1: float,
    beta2: float,
    epsilon: float,
    inside: bool = False,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    amsgrad: bool = False,
) -> Loop:
    def loop(t, gradient_at, p, memory, rate):
        g = gradient_at(p) + (0.0 if decoupled else weight_decay * p)
        memory["m"] = beta1 * memory.get("m", 0.0) + (1 - beta1) * g
        memory["s"] = beta2 * memory.get("s", 0.0) + (1 - beta2) * g**2
        memory["largest"] = max(memory.get("largest", 0.0), memory["s"])
        m_hat = memory["m"] / (1 - beta1**t)
        s_hat = memory["largest" if amsgrad else "s"] / (1 - beta2**t)
        root = math.sqrt(s_hat + epsilon) if inside else math.sqrt(s_hat) + epsilon
        shrunk = rate * weight_decay * p if decoupled else 0.0
        return p - rate * m_hat / root - shrunk

    return loop


CASES = {
    "sgd": Case(SGD(0.05), plain_loop(), ("SGD", {"lr": 0.05})),
    "sgd-decay": Case(
        SGD(0.05, weight_decay=0.1), plain_loop(0.1), ("SGD", {"lr": 0.05, "weight_decay": 0.1})
    ),
    "momentum": Case(
        SGD(0.05, momentum=0.9), momentum_loop(0.9), ("SGD", {"lr": 0.05, "momentum": 0.9})
    ),
    "momentum-dampened": Case(
        SGD(0.05, momentum=0.9, dampening=0.3, weight_decay=0.1),
        momentum_loop(0.9, 0.3, 0.1),
        ("SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    ),
    "momentum-average": Case(
        SGD(0.5, momentum=0.9, momentum_form="average"), momentum_loop(0.9, average=True)
    ),
    "nesterov": Case(
        SGD(0.02, momentum=0.9, nesterov=True, weight_decay=0.1),
        nesterov_loop(0.9, 0.1),
        ("SGD", {"lr": 0.02, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ),
    "nesterov-average": Case(
        SGD(0.2, momentum=0.9, nesterov=True, momentum_form="average"),
        nesterov_loop(0.9, average=True),
    ),
    "nesterov-lookahead": Case(
        SGD(0.02, momentum=0.9, nesterov="lookahead", weight_decay=0.1), lookahead_loop(0.9, 0.1)
    ),
    "nesterov-lookahead-average": Case(
        SGD(0.2, momentum=0.9, nesterov="lookahead", momentum_form="average"),
        lookahead_loop(0.9, average=True),
    ),
    "adagrad": Case(
        AdaGrad(0.1, weight_decay=0.1),
        adagrad_loop(1e-10, weight_decay=0.1),
        ("Adagrad", {"lr": 0.1, "weight_decay": 0.1}),
    ),
    "adagrad-start-decay": Case(
        AdaGrad(InverseTime(0.1, decay=0.05), initial_accumulator=0.5),
        adagrad_loop(1e-10, start=0.5),
        ("Adagrad", {"lr": 0.1, "lr_decay": 0.05, "initial_accumulator_value": 0.5}),
    ),
    "adagrad-inside": Case(
        AdaGrad(0.1, epsilon=1e-3, epsilon_inside_root=True), adagrad_loop(1e-3, inside=True)
    ),
    "rmsprop": Case(
        RMSProp(0.01, weight_decay=0.1),
        rmsprop_loop(0.99, 1e-8, weight_decay=0.1),
        ("RMSprop", {"lr": 0.01, "weight_decay": 0.1}),
    ),
    "rmsprop-momentum": Case(
        RMSProp(0.01, beta2=0.9, momentum=0.5),
        rmsprop_loop(0.9, 1e-8, momentum=0.5),
        ("RMSprop", {"lr": 0.01, "alpha": 0.9, "momentum": 0.5}),
    ),
    "rmsprop-centered": Case(
        RMSProp(0.01, beta2=0.9, centered=True),
        rmsprop_loop(0.9, 1e-8, centered=True),
        ("RMSprop", {"lr": 0.01, "alpha": 0.9, "centered": True}),
    ),
    "rmsprop-centered-momentum": Case(
        RMSProp(0.01, beta2=0.9, centered=True, momentum=0.5, weight_decay=0.1),
        rmsprop_loop(0.9, 1e-8, centered=True, momentum=0.5, weight_decay=0.1),
        (
            "RMSprop",
            {"lr": 0.01, "alpha": 0.9, "centered": True, "momentum": 0.5, "weight_decay": 0.1},
        ),
    ),
    "rmsprop-inside": Case(
        RMSProp(0.01, epsilon=1e-3, epsilon_inside_root=True, centered=True),
        rmsprop_loop(0.99, 1e-3, inside=True, centered=True),
    ),
    "adam": Case(Adam(0.05), adam_loop(0.9, 0.999, 1e-8), ("Adam", {"lr": 0.05})),
    "adam-decay": Case(
        Adam(0.05, beta1=0.8, beta2=0.95, epsilon=1e-4, weight_decay=0.1),
        adam_loop(0.8, 0.95, 1e-4, weight_decay=0.1),
        ("Adam", {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-4, "weight_decay": 0.1}),
    ),
    "adam-amsgrad": Case(
        Adam(0.05, beta2=0.9, amsgrad=True, weight_decay=0.1),
        adam_loop(0.9, 0.9, 1e-8, amsgrad=True, weight_decay=0.1),
        ("Adam", {"lr": 0.05, "betas": (0.9, 0.9), "amsgrad": True, "weight_decay": 0.1}),
    ),
    "adam-inside": Case(
        Adam(0.05, epsilon=1e-3, epsilon_inside_root=True),
        adam_loop(0.9, 0.999, 1e-3, inside=True),
    ),
    "adamw": Case(
        AdamW(0.05, weight_decay=0.1),
        adam_loop(0.9, 0.999, 1e-8, weight_decay=0.1, decoupled=True),
        ("AdamW", {"lr": 0.05, "weight_decay": 0.1}),
    ),
    "adamw-amsgrad": Case(
        AdamW(0.05, beta2=0.9, amsgrad=True),
        adam_loop(0.9, 0.9, 1e-8, weight_decay=0.01, decoupled=True, amsgrad=True),
        ("AdamW", {"lr": 0.05, "betas": (0.9, 0.9), "amsgrad": True}),
    ),
}


class Problem:
    """A badly scaled quadratic with noise in its gradient: the same for everyone who asks."""

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        shapes = {"W": (3, 2), "b": (2,)}
        self.start = {name: rng.normal(size=shape) for name, shape in shapes.items()}
        self.curvature = {k: 10.0 ** rng.uniform(-2, 0.5, s) for k, s in shapes.items()}
        self.center = {name: rng.normal(size=shape) for name, shape in shapes.items()}
        self.noise = [
            {name: 0.3 * rng.normal(size=shape) for name, shape in shapes.items()}
            for _ in range(N_STEPS)
        ]

    def gradient(self, name: str, step: int, value: Any) -> Any:
        """At the step after `step` steps."""
        away = value - self.center[name]
        return self.curvature[name] * away + self.noise[step][name]


PROBLEM = Problem()


def loop_trajectory(case: Case) -> list[dict[str, Any]]:
    """The parameters after each step, one number at a time."""
    found = [{k: np.empty_like(v) for k, v in PROBLEM.start.items()} for _ in range(N_STEPS)]
    for name, start in PROBLEM.start.items():
        for index in np.ndindex(start.shape):
            p, memory = float(start[index]), {}
            for step in range(N_STEPS):

                def gradient_at(x, step=step, name=name, index=index):
                    return float(PROBLEM.gradient(name, step, x)[index])

                rate = case.optimizer.learning_rate_at(step)
                p = case.loop(step + 1, gradient_at, p, memory, rate)
                found[step][name][index] = p
    return found
