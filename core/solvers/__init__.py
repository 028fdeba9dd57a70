"""Solvers: each sees an objective and never the data."""

from __future__ import annotations

from .fista import minimize_fista
from .minimize import minimize_lbfgs, minimize_newton, minimize_plain_lbfgs
from .proximal_newton import minimize_proximal_newton
from .result import Callback, IterationRecord, SolverResult

__all__ = [
    "Callback",
    "IterationRecord",
    "SolverResult",
    "minimize_fista",
    "minimize_lbfgs",
    "minimize_newton",
    "minimize_plain_lbfgs",
    "minimize_proximal_newton",
]
