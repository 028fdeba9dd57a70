"""Compiles CUDA C++ for a GPU that is not there, with NVRTC from the `cuda-compile` extra."""

from __future__ import annotations

import functools
import importlib
import re
from typing import Any, NamedTuple

ARCHITECTURE = "sm_90"


@functools.cache
def why_not() -> str | None:
    """Why nothing can be compiled here; None where it can."""
    try:
        nvrtc = importlib.import_module("cuda.bindings.nvrtc")
        nvrtc.nvrtcVersion()
    except Exception as problem:  # a library that is not found raises whatever its loader does
        return f"NVRTC (the extra cuda-compile) cannot be used: {problem}"
    return None


class Compiled(NamedTuple):
    """A cubin, and what ptxas said of its kernels."""

    cubin: bytes
    log: str

    @property
    def registers(self) -> int:
        """Registers of the thread that has most."""
        return max(int(count) for count in re.findall(r"Used (\d+) registers", self.log))

    @property
    def spilled(self) -> int:
        """Bytes that a thread moves from registers to memory."""
        return max(int(count) for count in re.findall(r"(\d+) bytes spill", self.log))


@functools.cache
def compiled(text: str) -> Compiled:
    """The cubin of CUDA C++ text, with the options that CuPy would give."""
    cubin, log = _compile(text, ARCHITECTURE, "CUBIN")
    return Compiled(cubin, log)


def ptx(text: str) -> str:
    """The same as PTX, which shows the kinds of memory access."""
    return _compile(text, ARCHITECTURE.replace("sm", "compute"), "PTX")[0].decode()


def _compile(text: str, architecture: str, kind: str) -> tuple[bytes, str]:
    nvrtc: Any = importlib.import_module("cuda.bindings.nvrtc")

    def ask(function: Any, *arguments: Any) -> Any:
        status, *answer = function(*arguments)
        assert status == nvrtc.nvrtcResult.NVRTC_SUCCESS, (function.__name__, status)
        return answer[0] if answer else None

    program = ask(nvrtc.nvrtcCreateProgram, text.encode(), b"kernel.cu", 0, [], [])
    # CuPy adds ftz to what it is given.
    options = ["--std=c++17", "-ftz=true", f"--gpu-architecture={architecture}"]
    options.append("--ptxas-options=-v")
    encoded = [option.encode() for option in options]
    (status,) = nvrtc.nvrtcCompileProgram(program, len(encoded), encoded)
    # Never bytes to write into: bytes of length one are shared by the whole process, and NVRTC's
    # closing zero in an empty log made every b" " of the interpreter a b"\0".
    log = bytearray(ask(nvrtc.nvrtcGetProgramLogSize, program))
    ask(nvrtc.nvrtcGetProgramLog, program, log)
    said = log.decode(errors="replace").rstrip("\0 ")
    assert status == nvrtc.nvrtcResult.NVRTC_SUCCESS, said[:4000]
    output = bytearray(ask(getattr(nvrtc, f"nvrtcGet{kind}Size"), program))
    ask(getattr(nvrtc, f"nvrtcGet{kind}"), program, output)
    ask(nvrtc.nvrtcDestroyProgram, program)
    return bytes(output), said
