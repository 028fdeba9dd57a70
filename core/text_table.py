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
