"""AMD: clang's amdgcn, as ROCm's OpenCL has it, to assembly and an object."""
import re

from vendors.compiled import Compiled, clang_command, find_builtins, find_clang, main_loop, run

NAME = "amd"
PACKAGES = ["clang-19", "libclc-19"]
TARGETS = {"gfx900": 10, "gfx906": 10, "gfx90a": 8, "gfx1030": 16, "gfx1100": 16}  # waves that fit a SIMD
UNITS = ("VGPRs; waves on a SIMD, of those that fit. A wave holds 32 lanes on gfx10 and gfx11 and 64 before: there a group of "
         "fewer lanes leaves the rest of its wave idle")

LABEL = re.compile(r"(\.LBB\w+):")
INSTRUCTION = re.compile(r"\s+([a-z]+_\w+)")
BRANCH = re.compile(r"s_c?branch")
FMA = re.compile(r"v_(pk_|dual_)?(fma|mac|mad)\w*_f32")


class Compiler:
    def __init__(self):
        self.clang, self.version = find_clang()
        self.builtins = find_builtins("amdgcn--amdhsa")

    def targets(self):
        return list(TARGETS)

    def compile(self, program, target, folder):
        assembly = f"{folder}/{program.name}.s"
        cpu = ["--target=amdgcn-amd-amdhsa", f"-mcpu={target}"]
        run(clang_command(self.clang, self.builtins, [*cpu, "-nogpulib"], program, assembly))
        run([self.clang, *cpu, "-c", assembly, "-o", f"{folder}/{program.name}.o"])
        with open(assembly, encoding="utf-8") as file:
            return parse(file.read(), target)


def parse(assembly, target):
    code, metadata = assembly.split("amdhsa.kernels:")
    kernels = {}
    for entry in re.split(r"^  - (?=\.)", metadata.split("amdhsa.target:")[0], flags=re.M)[1:]:
        facts = dict(re.findall(r"^ *\.(\w+): +(\w+)$", entry, flags=re.M))
        body = re.search(rf"^{facts['name']}:(.*?)^\.Lfunc_end.*?; Occupancy: (\d+)", code, flags=re.M | re.S)
        spilled = 4 * int(facts["vgpr_spill_count"])
        n_fma, n_instructions = main_loop(body[1].splitlines(), LABEL, INSTRUCTION, BRANCH, FMA)
        kernels[facts["name"]] = Compiled(
            registers=int(facts["vgpr_count"]), spilled_bytes=spilled,
            scratch_bytes=max(0, int(facts["private_segment_fixed_size"]) - spilled),
            scalar_spills=int(facts["sgpr_spill_count"]),
            occupancy=f"{body[2]}/{TARGETS[target]}",
            n_fma=n_fma, n_instructions=n_instructions)
    return kernels
