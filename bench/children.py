"""Measurements that need a process of their own: start-up, and peaks of memory."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MIB = float(1 << 20)
# Settings of the caller that would change what a child measures.
DROPPED = ("XPFIT_BACKEND", "XPFIT_FUSED", "PYTHONPROFILEIMPORTTIME")


def run_child(
    function: str,
    arguments: Mapping[str, Any],
    environment: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> tuple[dict[str, Any], str]:
    """Call `xpfit.bench.<module>.<function>(**arguments)` in a fresh interpreter.

    Parameters
    ----------
    function : str
        "module.function"; it returns a dict that JSON can hold.
    arguments : mapping
        That JSON can hold.
    environment : mapping or None
        Added to this process's environment.
    timeout : float or None
        Seconds after which the child is ended.

    Returns
    -------
    answer : dict
    stderr : str

    Raises
    ------
    RuntimeError
        With the child's last words, where it fails.
    subprocess.TimeoutExpired
    """
    module, _, name = function.rpartition(".")
    package = __package__ or "xpfit.bench"
    code = (
        f"import json, sys\nfrom {package}.{module} import {name}\n"
        f"answer = {name}(**json.loads(sys.argv[1]))\n"
        "sys.stdout.write('\\n' + json.dumps(answer))"
    )
    return run_code(code, json.dumps(dict(arguments)), environment=environment, timeout=timeout)


def run_code(
    code: str,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> tuple[dict[str, Any], str]:
    """Run Python code whose last line of output is JSON, in a fresh interpreter."""
    kept = {key: value for key, value in os.environ.items() if key not in DROPPED}
    kept.update(environment or {})
    # -P: the checkout's folders must not be importable under bare names.
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, *arguments],
        env=kept, capture_output=True, text=True, check=False, timeout=timeout,
    )  # fmt: skip
    if done.returncode != 0:
        message = f"a measuring process failed ({done.returncode}): {done.stderr[-2000:]}"
        raise RuntimeError(message)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer, done.stderr


def _status(field: str) -> float | None:
    """A size from /proc/self/status in bytes; None where there is no such file."""
    try:
        text = Path("/proc/self/status").read_text("utf-8")
    except OSError:
        return None
    for line in text.splitlines():
        if line.startswith(f"{field}:"):
            return float(line.split()[1]) * 1024.0
    return None


def _largest_so_far() -> float:
    import resource

    unit = 1.0 if sys.platform == "darwin" else 1024.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _return_freed_memory() -> None:
    # The allocator keeps some of what is freed; a fit could take tens of MiB from there unseen.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


class PeakMeter:
    """Peak memory of what happens between `start` and `rise`, in bytes.

    Where Linux lets a process reset its own high-water mark, the mark starts at the memory now in
    use. Elsewhere it starts at the largest use so far, which must then be the present one: the
    callers fill their arrays block by block.
    """

    def __init__(self) -> None:
        self.was_reset = False
        self.baseline = 0.0

    def start(self) -> None:
        """Take the baseline."""
        _return_freed_memory()
        try:
            Path("/proc/self/clear_refs").write_text("5", "utf-8")
            self.was_reset = True
        except OSError:
            self.was_reset = False
        now = _status("VmRSS") if self.was_reset else None
        self.baseline = _largest_so_far() if now is None else now

    def rise(self) -> float:
        """How far the peak since `start` lies above the baseline."""
        peak = _status("VmHWM") if self.was_reset else None
        return max(0.0, (_largest_so_far() if peak is None else peak) - self.baseline)
