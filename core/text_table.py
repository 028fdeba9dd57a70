"""Tables as text, for the records that people print."""

from __future__ import annotations

from collections.abc import Sequence


def text_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """Columns of one width: the first `left` begin at one place, the others end at one.

    Examples
    --------
    >>> print(text_table(["layer", "size"], [["affine", "12"], ["relu", "0"]]))
    layer   size
    affine    12
    relu       0
    """
    lines = [list(head), *map(list, rows)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if k < left else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def bytes_text(n: float) -> str:
    """A number of bytes in the unit that people read, to three digits.

    Examples
    --------
    >>> bytes_text(999), bytes_text(999_700), bytes_text(1_234_567)
    ('999 B', '1 MB', '1.23 MB')
    """
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        # What three digits round up to 1000 is 1 of the next unit.
        if n >= 0.9995 * size:
            return f"{n / size:.3g} {unit}"
    return f"{n:.3g} B"
