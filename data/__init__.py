"""Where rows come from: files, typed columns, splits, and the encoder that makes them numbers."""

from __future__ import annotations

from .encoding import TableEncoder
from .errors import DataError
from .readers import read_table
from .split import Split, random_split, split_by_column
from .table import Categories, Table
from .target import Target, choose_task, read_target

__all__ = [
    "Categories",
    "DataError",
    "Split",
    "Table",
    "TableEncoder",
    "Target",
    "choose_task",
    "random_split",
    "read_table",
    "read_target",
    "split_by_column",
]
