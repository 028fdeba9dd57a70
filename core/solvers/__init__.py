"""Solvers: each sees an objective and never the data."""

from __future__ import annotations

from .minimize import minimize_lbfgs, minimize_newton
from .result import Callback, IterationRecord, SolverResult

__all__ = ["Callback", "IterationRecord", "SolverResult", "minimize_lbfgs", "minimize_newton"]
