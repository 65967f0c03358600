"""The table on the terminal and the page that is kept in docs/."""

HEAD = """# Kernels through the compilers of GPU vendors

Every program that a session builds in the work-item mapping, compiled without a GPU by what Intel's, NVIDIA's and AMD's
drivers are made of. Written by `tools/vendor-compile --markdown docs/vendor-compile.md`; no line is typed by hand.

A cell reads: registers, occupancy, share of fused multiply-adds among the instructions of the innermost loop that has the
most of them (none: no such loop; a packed or dual one counts once). **SPILLS** and **SCRATCH** are bytes of memory per
work-item for values that found no register: such a tile must not be offered there. Programs that are built on CPUs only
are left out.
"""


def columns(row):
    program = row.program
    facts = [row.vendor, row.target, row.kernel, str(program.lanes()), program.tile()]
    if row.error is not None:
        return facts + ["", "", "", "", "", "", row.verdict()]
    result = row.result
    return facts + [str(result.registers), str(result.spilled_bytes), str(result.scratch_bytes),
                    str(result.scalar_spills), result.occupancy, result.fma_share(), row.verdict()]


def print_table(rows):
    head = ["vendor", "target", "kernel", "lanes", "options", "registers", "spilled B", "scratch B", "scalar spills",
            "occupancy", "FMA", "verdict"]
    lines = [head] + [columns(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines)]
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip())
    print()


def cell(row):
    if row is None:
        return ""
    if row.error is not None:
        return f"**{row.verdict()}**"
    text = f"{row.result.registers}, {row.result.occupancy}"
    if row.result.n_instructions:
        text += f", {row.result.fma_share()}"
    return text + (f" **{row.verdict()}**" if row.result.fails() else "")


def vendor_table(rows):
    """A line per kernel and options, a column per target."""
    targets = list(dict.fromkeys(row.target for row in rows))
    by_kernel = {}
    for row in rows:
        key = (row.program.file, row.kernel, row.program.lanes(), row.program.tile())
        by_kernel.setdefault(key, {})[row.target] = row
    yield "| kernel | lanes | options | " + " | ".join(targets) + " |"
    yield "|---" * (3 + len(targets)) + "|"
    for (_, kernel, lanes, tile), found in by_kernel.items():
        if not next(iter(found.values())).program.offered:
            tile += " (not offered)"
        yield f"| {kernel} | {lanes} | {tile} | " + " | ".join(cell(found.get(target)) for target in targets) + " |"


def summary(rows):
    yield "| vendor | target | kernels | most registers | fail |"
    yield "|---|---|---|---|---|"
    for vendor, target in dict.fromkeys((row.vendor, row.target) for row in rows):
        here = [row for row in rows if row.target == target]
        most = max((row.result.registers for row in here if row.result), default=0)
        yield f"| {vendor} | {target} | {len(here)} | {most} | {sum(row.fails() for row in here)} |"


def write(path, rows, versions, units):
    with open(path, "w", encoding="utf-8") as file:
        print(HEAD, file=file)
        print(*summary(rows), sep="\n", file=file)
        for vendor, version in versions.items():
            print(f"\n## {vendor}\n\n{version}. Cells: {units[vendor]}; FMA share.\n", file=file)
            print(*vendor_table([row for row in rows if row.vendor == vendor]), sep="\n", file=file)
