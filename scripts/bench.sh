# Shared by the scripts that measure. Sourced after lib.sh and cluster.sh.
# shellcheck shell=bash

lines() { printf '%s\n' "$@"; }

# Sets BUS unless it is set.
choose_bus() {
    [ -z "${BUS-}" ] || return 0
    BUS=devbus
    ! command -v java >/dev/null || BUS=kafka
    [ "$BUS" = kafka ] || warn "no Java here: the devbus it is; it drops what it is sent too fast (BUS=kafka)"
}

# Prints, as a list, what figures depend on.
describe_machine() {
    say "- $(date -u +%Y-%m-%d), $(nproc) cores: $(sed -n '/^model name/ { s/^[^:]*: //p; q }' /proc/cpuinfo)," \
        "$(awk '/MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo), Linux $(uname -r)," \
        "$(. /etc/os-release && say "$PRETTY_NAME")"
    say "- imc $("$BUILD_DIR/comet/imc-comet" --version | sed -n 1p), commit $(git -C "$ROOT" describe --always --dirty 2>/dev/null ||
        say unknown); bus: $BUS; Redis fsync: $REDIS_FSYNC; $(redis-server --version | awk '{ print $3 }')"
    say "- client, cluster and bus share the cores; ulimit -n $(ulimit -n); conntrack $(
        if [ -e /proc/sys/net/netfilter/nf_conntrack_count ]; then say loaded; else say 'not loaded'; fi)"
}
