# What every script of this folder shares. Sourced, not run.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
SCRIPT=${0##*/}
export ROOT

say() { printf '%s\n' "$*"; }
warn() { printf '%s: %s\n' "$SCRIPT" "$*" >&2; }
die() {
    warn "$@"
    exit 1
}

# The comment at the head of a script is its help text.
print_help() { awk 'NR > 1 && !/^#/ { exit } NR > 1 { sub(/^# ?/, ""); print }' "$0"; }
case ${1-} in -h | --help) print_help && exit ;; esac

# build_into DIR [CMAKE ARGUMENT ...]: configures and builds on every core, or BUILD_JOBS of them
build_into() {
    local dir=$1
    shift
    ! command -v ccache >/dev/null || set -- "$@" -DCMAKE_C_COMPILER_LAUNCHER=ccache
    cmake -S "$ROOT" -B "$dir" -G Ninja "$@" || return
    cmake --build "$dir" -j "${BUILD_JOBS:-$(nproc)}" -- --quiet -k 0
}

# Every C source and header of the project, generated ones aside.
c_files() {
    find "$ROOT"/{common,comet,logic,router,job,client,cli,devbus,bench,tests} -name '*.[ch]' 2>/dev/null |
        LC_ALL=C sort
}
