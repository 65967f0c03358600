"""NVIDIA: clang's nvptx to PTX, ptxas to machine code, nvdisasm (when it is there) to read its loops."""
import glob
import os
import re
import shutil
import tempfile

from vendors.compiled import CompileError, Compiled, clang_command, find_builtins, find_clang, main_loop, run

NAME = "nvidia"
PACKAGES = ["clang-19", "libclc-19"]
# Warps and groups that fit a multiprocessor, and its shared memory for groups.
TARGETS = {"sm_70": (64, 32, 96 << 10), "sm_75": (32, 16, 64 << 10), "sm_80": (64, 32, 164 << 10),
           "sm_86": (48, 16, 100 << 10), "sm_90": (64, 32, 228 << 10), "sm_100": (64, 32, 228 << 10)}
UNITS = "registers; warps on a multiprocessor, of those that fit"
OLDEST = "sm_70"  # what the PTX asks for, so that every ptxas target takes it; ptxas 13 itself knows it no more

REGISTERS_PER_SM, WARP, REGISTER_UNIT, WARP_UNIT = 65536, 32, 8, 4

PTX = (re.compile(r"(\$L\w+):"), re.compile(r"\s+(?:@!?%p\d+ )?([a-z]+[.\w]*)"), re.compile(r"bra"),
       re.compile(r"fma\.rn\.f32"))
SASS = (re.compile(r"(\.L_x_\d+):"), re.compile(r"\s+/\*\w+\*/\s+(?:\{\s*)?(?:@!?U?P\w+ )?([A-Z]\w*)"),
        re.compile(r"BRA"), re.compile(r"FFMA"))


def find_cuda(tool):
    folders = [os.environ.get("CUDA_HOME", ""), "/usr/local/cuda", *sorted(glob.glob("/usr/local/cuda-*"), reverse=True)]
    paths = [f"{folder}/bin/{tool}" for folder in folders if folder]
    return shutil.which(tool) or next((path for path in paths if os.access(path, os.X_OK)), None)


class Compiler:
    def __init__(self):
        self.clang, self.version = find_clang()
        self.builtins = find_builtins("nvptx64--nvidiacl")
        self.ptx = {}  # texts by program
        self.ptxas, self.nvdisasm = find_cuda("ptxas"), find_cuda("nvdisasm")
        if self.ptxas:
            release = re.search(r"release [\d.]+", run([self.ptxas, "--version"]))
            self.version += f", ptxas {release[0] if release else '?'}"
        else:
            self.version += ", ptxas not there"
        self.assembled = [target for target in TARGETS if self.knows(target)] if self.ptxas else []
        if OLDEST not in self.assembled:
            self.version += f"; {OLDEST} as PTX, which has no real registers"
        self.version += "; loops from " + ("nvdisasm" if self.ptxas and self.nvdisasm else "PTX (nvdisasm not there)")

    def targets(self):
        """Those of TARGETS that this ptxas still, or already, knows; OLDEST always, as PTX where it does not."""
        return list(dict.fromkeys([OLDEST, *self.assembled]))

    def knows(self, target):
        with tempfile.NamedTemporaryFile("w", suffix=".ptx") as empty:
            empty.write(f".version 7.0\n.target {OLDEST}\n.address_size 64\n")
            empty.flush()
            try:
                run([self.ptxas, f"-arch={target}", "-o", os.devnull, empty.name])
            except CompileError as error:
                return "is not defined" not in str(error)
        return True

    def compile(self, program, target, folder):
        ptx = self.compile_to_ptx(program, folder)
        bodies = dict(re.findall(r"^(?:\.visible )?\.entry (\w+)\((.*?)^}", ptx, flags=re.M | re.S))
        if target not in self.assembled:
            return {name: parse_ptx(body) for name, body in bodies.items()}
        cubin = f"{folder}/{program.name}.cubin"
        log = run([self.ptxas, "-v", f"-arch={target}", f"{folder}/{program.name}.ptx", "-o", cubin])
        code = self.disassemble(cubin)
        loops = {name: loop_of(body, SASS if code else PTX) for name, body in (code or bodies).items()}
        return {name: parse(log, name, target, program.group_size(name), loop) for name, loop in loops.items()}

    def compile_to_ptx(self, program, folder):
        """Leaves the PTX, which is the same for all targets, in `folder`, and returns it."""
        path, key = f"{folder}/{program.name}.ptx", (program.path, *program.options)
        if key not in self.ptx:
            cpu = ["--target=nvptx64-nvidia-nvcl", f"-march={OLDEST}"]
            run(clang_command(self.clang, self.builtins, cpu, program, path))
            with open(path, encoding="utf-8") as file:
                self.ptx[key] = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.ptx[key])
        return self.ptx[key]

    def disassemble(self, cubin):
        """{kernel: its machine code as text}; empty when nvdisasm is not there or does not know the target."""
        if not self.nvdisasm:
            return {}
        try:
            code = run([self.nvdisasm, "-c", cubin])
        except CompileError:
            return {}
        return dict(re.findall(r"^\.text\.(\w+):(.*?)(?=^//-|\Z)", code, flags=re.M | re.S))


def loop_of(body, syntax):
    n_fma, n_instructions = main_loop(body.splitlines(), *syntax)
    return {"n_fma": n_fma, "n_instructions": n_instructions}


def parse_ptx(body):
    """What PTX alone tells: arrays in memory and the loop. Its registers are not real ones."""
    depot = re.search(r"\.local .*\[(\d+)\];", body)
    return Compiled(registers=0, scratch_bytes=int(depot[1]) if depot else 0, occupancy="?", **loop_of(body, PTX))


def parse(log, name, target, group_size, loop):
    """What ptxas -v says of kernel `name`."""
    about = re.search(rf"Compiling entry function '{name}' for.*?Used (\d+) registers([^\n]*)", log, flags=re.S)
    frame, stores, _ = map(int, re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+)", about[0]).groups())
    shared = re.search(r"(\d+) bytes smem", about[2])
    registers = int(about[1])
    return Compiled(registers=registers, spilled_bytes=stores, scratch_bytes=max(0, frame - stores),
                    occupancy=occupancy(target, registers, int(shared[1]) if shared else 0, group_size), **loop)


def occupancy(target, registers, shared_bytes, group_size):
    warps, groups, shared = TARGETS[target]
    per_group = -(-group_size // WARP)
    per_warp = -(-registers // REGISTER_UNIT) * REGISTER_UNIT * WARP
    by_registers = REGISTERS_PER_SM // per_warp // WARP_UNIT * WARP_UNIT // per_group
    by_shared = shared // (shared_bytes + 1024) if shared_bytes else groups  # 1 KiB is the system's in each group
    return f"{min(groups, by_registers, by_shared, warps // per_group) * per_group}/{warps}"
