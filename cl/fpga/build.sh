#!/usr/bin/env bash
# Builds pleach.cl for a board with its vendor's compiler. Written by `pleach fpga export`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

usage="usage: ./build.sh emulator                  Intel: pleach.aocx for the emulator of the SDK, minutes
       ./build.sh report [BOARD]            Intel: no hardware, only the report of what it would take and its intervals
       ./build.sh board [BOARD]             Intel: pleach.aocx for a board, hours
       ./build.sh vitis TARGET PLATFORM     AMD: pleach.xclbin; TARGET is sw_emu, hw_emu or hw

Intel's aoc is part of the Intel FPGA SDK for OpenCL; \`aoc -list-boards\` names the boards.
AMD's v++ takes OpenCL C up to Vitis 2022; from 2023.1 on it takes C++ alone.
Then: pleach eval MODEL --device fpga --binary pleach.aocx (or pleach.xclbin); pleach.json must lie beside it."

fail() {
    echo "build.sh: $*" >&2
    exit 1
}

need() {
    command -v "$1" >/dev/null || fail "no $1 in PATH; $2"
}

intel() {
    need aoc "set up the Intel FPGA SDK for OpenCL first (its init_opencl.sh)"
    # No -fp-relaxed, -ffp-reassoc or -ffp-contract: the order of sums is part of the result.
    aoc "$@" pleach.cl
}

# The names of the kernels, one a line.
kernels() {
    sed -n 's/.*"exported": *"\([A-Za-z0-9_]*\)".*/\1/p' pleach.json
}

vitis() {
    local target=$1 platform=$2 year kernel objects=()
    need v++ "set up Vitis first (its settings64.sh)"
    year=$(v++ --version | sed -n 's/.*v\(20[0-9][0-9]\)\.[0-9].*/\1/p' | head -n 1)
    [ -n "$year" ] || fail "v++ --version does not tell its year; up to 2022 it takes OpenCL C"
    [ "$year" -le 2022 ] || fail "v++ of $year takes no OpenCL C; the last that does is of 2022"
    for kernel in $(kernels); do
        v++ -c -t "$target" --platform "$platform" -k "$kernel" -o "$kernel.xo" pleach.cl
        objects+=("$kernel.xo")
    done
    v++ -l -t "$target" --platform "$platform" -o pleach.xclbin "${objects[@]}"
}

case ${1-} in
emulator) intel -march=emulator -o pleach.aocx ;;
report) intel -rtl -report ${2:+-board="$2"} -o pleach.aocr ;;
board) intel -report ${2:+-board="$2"} -o pleach.aocx ;;
vitis)
    [ $# -eq 3 ] || fail "$usage"
    vitis "$2" "$3"
    ;;
-h | --help) echo "$usage" ;;
*)
    echo "$usage" >&2
    exit 2
    ;;
esac
