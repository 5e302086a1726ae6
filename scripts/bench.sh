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

# --- the cluster, of which DIR/up.log tells ---

# Starts what of it does not run.
cluster_up() { "$ROOT/scripts/up" >>"$DIR/up.log" 2>&1 || { tail -n 20 "$DIR/up.log" >&2 && die "the cluster did not start"; }; }
cluster_down() { "$ROOT/scripts/down" >>"$DIR/up.log" 2>&1 || warn "the cluster did not end as it should: see $DIR/up.log"; }

# comets_at SECTION: host:port,host:port of all COMETS
comets_at() {
    local n list=
    for ((n = 1; n <= COMETS; n++)); do
        list+=,127.0.0.1:$(port_of "comet-$n" "$1")
    done
    say "${list#,}"
}

# metric DAEMON NAME: 0 if there is none
metric() {
    curl -sf "http://127.0.0.1:$(port_of "$1" admin)/metrics" |
        awk -v name="$2" '$1 == name { v = $2 } END { print v == "" ? 0 : v }'
}

# --- what imc-bench measured ---

# figure FILE KEY: nothing if FILE does not have it. The figure of all daemons is summed here.
figure() {
    local kinds='comet|logic|router|job|redis'
    if [ "$2" = cpu_daemons_us_per_push ]; then
        sed -nE "s/^ *\"cpu_($kinds)_us_per_push\": ([-0-9.e]+),?/\2/p" "$1" | awk '{ s += $1 } END { if (NR) print s }'
    else
        sed -nE "/^ *\"$2\": / { s/^ *\"$2\": ([-0-9.e]+),?/\1/p; q }" "$1"
    fi
}
