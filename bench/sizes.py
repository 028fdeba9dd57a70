"""How large a benchmark is: `tiny` shows that it runs, `full` is what the speed table states."""

from __future__ import annotations

import os
from typing import Literal

Size = Literal["tiny", "full"]
SIZES: tuple[Size, ...] = ("tiny", "full")
VARIABLE = "XPFIT_BENCH_SIZE"


def chosen_size() -> Size:
    """The size that the environment variable XPFIT_BENCH_SIZE names, else `tiny`.

    Raises
    ------
    ValueError
        For any other word.
    """
    text = os.environ.get(VARIABLE, "").strip() or "tiny"
    for size in SIZES:
        if text == size:
            return size
    message = f"{VARIABLE}={text!r} is no size. Set it to one of: {', '.join(SIZES)}."
    raise ValueError(message)


def rounds_for(size: Size, asked: int | None, usual: int) -> int:
    """Rounds of a comparison: those asked for, else the usual ones; one at tiny size."""
    if asked is not None:
        return asked
    return usual if size == "full" else 1


def pause_for(size: Size) -> float:
    """Seconds of rest before a sample; none where times do not matter."""
    return 0.05 if size == "full" else 0.0
