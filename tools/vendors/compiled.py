"""What a vendor's compiler made of one kernel, and the running of compilers."""
import os
import re
import shutil
import subprocess
from dataclasses import dataclass

TIMEOUT_S = 60  # twenty times what the slowest program needs that is offered; a user waits as long at first use


class Missing(Exception):
    """A compiler is not there; the text says which and how to get it."""


class CompileError(Exception):
    """A compiler refused; the text is its message."""


@dataclass
class Compiled:
    """One kernel on one target. Bytes are per work-item."""
    registers: int  # 0: not known
    spilled_bytes: int = 0
    scratch_bytes: int = 0  # arrays that found no registers; spills not counted
    scalar_spills: int = 0  # to other registers, not to memory
    occupancy: str = ""
    n_fma: int = 0
    n_instructions: int = 0  # of the loop that holds those n_fma; 0: no loop has any

    def verdict(self):
        if self.spilled_bytes:
            return f"SPILLS {self.spilled_bytes} B"
        if self.scratch_bytes:
            return f"SCRATCH {self.scratch_bytes} B"
        return "ok"

    def fails(self):
        return bool(self.spilled_bytes or self.scratch_bytes)

    def fma_share(self):
        return f"{100 * self.n_fma // self.n_instructions} %" if self.n_instructions else "-"


def run(command, **environment):
    """Standard output and error of `command` together; CompileError when it fails."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                              timeout=TIMEOUT_S, env={**os.environ, **environment})
    except subprocess.TimeoutExpired:
        raise CompileError(f"{command[0]} takes more than {TIMEOUT_S} s") from None
    if done.returncode != 0:
        raise CompileError(f"{' '.join(command)}\n{done.stdout.strip()}")
    return done.stdout


def find_clang():
    """The newest clang on the path: (path, its first line of version)."""
    names = {f"clang-{n}": n for n in range(14, 40)}
    found = [name for name in sorted(names, key=names.get, reverse=True) if shutil.which(name)] or ["clang"]
    path = shutil.which(found[0])
    if not path:
        raise Missing("no clang; tools/vendor-compile --setup installs one")
    return path, run([path, "--version"]).splitlines()[0]


def find_builtins(name):
    """The library of OpenCL's built-in functions for one target, from libclc."""
    path = f"/usr/lib/clc/{name}.bc"
    if not os.path.exists(path):
        raise Missing(f"no {path}; tools/vendor-compile --setup installs libclc")
    return path


def clang_command(clang, builtins, target, program, output):
    """Compiles OpenCL C to assembly as a driver does: its version told, built-ins linked in, everything inlined."""
    return [clang, "-x", "cl", *program.options, "-D__OPENCL_VERSION__=120", f"-I{os.path.dirname(program.path)}", *target, "-O3", "-S",
            "-Wno-linker-warnings", "-mllvm", "-inline-threshold=1000000",
            "-Xclang", "-mlink-builtin-bitcode", "-Xclang", builtins, "-o", output, program.path]


def main_loop(lines, label, instruction, branch, fma):
    """(FMAs, instructions) of the innermost loop with the most FMAs; (0, 0) when no loop has any.

    `label` and `instruction` are patterns whose first group is the label and the opcode; `branch` and `fma` match
    what begins with the opcode. A loop is what lies between a label and the last branch back to it.
    """
    starts, ends, is_fma = {}, {}, []
    for line in lines:
        if found := label.match(line):
            starts[found[1]] = len(is_fma)
        elif found := instruction.match(line):
            is_fma.append(bool(fma.match(line, found.start(1))))
            if branch.match(line, found.start(1)):
                for word in re.findall(r"[.$\w]+", line[found.end(1):]):
                    if word in starts:
                        ends[starts[word]] = len(is_fma)
    loops = list(ends.items())
    innermost = [(a, b) for a, b in loops if not any(a <= c and d <= b and (a, b) != (c, d) for c, d in loops)]
    counts = [(sum(is_fma[a:b]), b - a) for a, b in innermost]
    best = max(counts, key=lambda count: (count[0], -count[1]), default=(0, 0))
    return best if best[0] else (0, 0)
