"""The user's cache folder: compiled kernels, and what was measured of this machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """Where generated modules and measurements live: XPFIT_CACHE_DIR, else the user's own folder.

    Examples
    --------
    >>> from xpfit.backends.cache import cache_folder
    >>> cache_folder().is_absolute()
    True
    """
    named = os.environ.get("XPFIT_CACHE_DIR", "").strip()
    if named:
        return Path(named).expanduser().absolute()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", "~/AppData/Local"))
    elif sys.platform == "darwin":
        base = Path("~/Library/Caches")
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"))
    return base.expanduser() / "xpfit"
