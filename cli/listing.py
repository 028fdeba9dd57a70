"""``xpfit backends``."""

from __future__ import annotations

from rich.table import Table as RichTable
from rich.text import Text

from ..backends import available_backends, checked_default
from .console import say_warning, stdout


def run_backends() -> None:
    """Print a table of the backends."""
    heading = ("name", "usable", "version", "devices, or why not")
    made = RichTable(*heading, box=None, pad_edge=False, header_style="dim")
    for backend in available_backends():
        devices = ", ".join(map(str, backend.devices))
        made.add_row(
            Text(backend.name, style="bold"),
            "yes" if backend.available else "no",
            Text(str(backend.version or "")),
            Text(devices if backend.available else str(backend.reason)),
        )
    stdout().print(made)
    try:
        checked_default()
    except (ValueError, ImportError) as problem:
        # The list is what the user needs to mend it, so it comes first.
        say_warning(str(problem))
