"""Intel: ocloc, the offline compiler of the GPU driver. What it chose is read from the dumps of its back end."""
import glob
import os
import re
import shutil

from vendors.compiled import CompileError, Compiled, Missing, main_loop, run

NAME = "intel"
PACKAGES = ["intel-opencl-icd"]
TARGETS = ["skl", "icllp", "tgllp", "acm-g10", "pvc"]  # Gen9, Gen11, Gen12, Xe-HPG (dg2), Xe-HPC
UNITS = "general registers of a thread; work-items that a thread holds (SIMD)"

LABEL = re.compile(r"(\w+):")
# "(W&~f0.1) mad (16|M0) r2.0<1>:f ...", "(W)     jmpi      _0_010"
INSTRUCTION = re.compile(r"(?:\([^)]*\))?\s+([a-z][.\w]*)\s")
BRANCH = re.compile(r"while|jmpi|goto|brd|brc")
FMA = re.compile(r"ma[dc] [^:]*:f\b")  # of floats: the first operand is the result; there are integer ones


class Compiler:
    def __init__(self):
        self.ocloc = shutil.which("ocloc")
        if not self.ocloc:
            raise Missing("no ocloc; tools/vendor-compile --setup installs it")
        self.version = "ocloc of driver " + self.driver_version()

    def driver_version(self):
        """ocloc leaves the answer in a file of the working folder, so the library's file name is asked instead."""
        libraries = glob.glob("/usr/lib/*/libze_intel_gpu.so.*.*")
        return os.path.basename(libraries[0]).removeprefix("libze_intel_gpu.so.") if libraries else "?"

    def targets(self):
        return [target for target in TARGETS if self.knows(target)]

    def knows(self, target):
        try:
            return "Error" not in run([self.ocloc, "ids", target])
        except CompileError:
            return False

    def compile(self, program, target, folder):
        dumps = f"{folder}/dumps"
        os.makedirs(dumps)
        options = " ".join([*program.options, f"-I{os.path.dirname(program.path)}"])
        log = run([self.ocloc, "compile", "-file", program.path, "-device", target, "-options", options,
                   "-out_dir", folder, "-output", program.name, "--format", "zebin"],
                  IGC_ShaderDumpEnable="1", IGC_DumpToCustomDir=dumps)
        binaries = glob.glob(f"{folder}/{program.name}*.bin")
        if not binaries:
            raise CompileError(log)
        return parse(read_info(binaries[0]), read_assembly(dumps))


def read_info(path):
    """{kernel: (SIMD width, bytes of memory per work-item for what is not in registers)}, from a binary's own text."""
    with open(path, "rb") as file:
        text = re.search(rb"^kernels:.*?(?=^kernels_misc_info:|^\.\.\.|\0)", file.read(), flags=re.M | re.S)[0].decode()
    kernels = {}
    for entry in re.split(r"^  - name: +", text, flags=re.M)[1:]:
        simd = number(entry, r"simd_size: +")
        memory = re.findall(r"usage: +(\w+)\s+size: +(\d+)", entry)
        # Spaces are sized per thread, but private_space per work-item.
        kernels[re.match(r"\w+", entry)[0]] = simd, sum(
            int(size) // (1 if usage == "private_space" else simd) for usage, size in memory)
    return kernels


def read_assembly(dumps):
    """{(kernel, SIMD width): text}. The compiler tries several widths; of several tries at one the last counts."""
    texts = {}
    for path in sorted(glob.glob(f"{dumps}/*.asm"), key=lambda path: len(path)):
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
        kernel = re.match(r"//\.kernel (\w+)", text)
        simd = re.search(r"_simd(\d+)_", os.path.basename(path))
        if kernel and simd:
            texts[kernel[1], int(simd[1])] = text
    return texts


def parse(info, texts):
    kernels = {}
    for kernel, (simd, in_memory) in info.items():
        text = texts[kernel, simd]
        spilled = number(text, r"//\.spill size ") // simd
        n_fma, n_instructions = main_loop(text.splitlines(), LABEL, INSTRUCTION, BRANCH, FMA)
        kernels[kernel] = Compiled(
            # Memory is rounded up: where there are spills, arrays cannot be told from the rounding.
            registers=number(text, "numGRF="), spilled_bytes=spilled, scratch_bytes=0 if spilled else in_memory,
            scalar_spills=number(text, r"//\.spill flag load "), occupancy=f"SIMD{simd}",
            n_fma=n_fma, n_instructions=n_instructions)
    return kernels


def number(text, before):
    found = re.search(before + r"(\d+)", text)
    return int(found[1]) if found else 0
