# What up and down know about a cluster on this machine. Sourced after lib.sh.
# shellcheck shell=bash
#
#   run/comet-1.pid …   who runs            run/log/comet-1.log …   what they wrote
#   run/redis/          Redis's AOF         run/kafka/              Kafka's data and settings
#   run/cluster         what was asked for  run/devbus.bootstrap    where the development bus listens
#   run/tls/            TLS=1: the CA and its certificates

RUN_DIR=${RUN_DIR:-$ROOT/run}
BUILD_DIR=${BUILD_DIR:-$ROOT/build}
CONFIG_DIR=${CONFIG_DIR:-$ROOT/configs}
# A relative RUN_DIR is relative to the caller's directory, but the processes run elsewhere.
[[ $RUN_DIR = /* ]] || RUN_DIR=$PWD/$RUN_DIR
[[ $BUILD_DIR = /* ]] || BUILD_DIR=$PWD/$BUILD_DIR
[[ $CONFIG_DIR = /* ]] || CONFIG_DIR=$PWD/$CONFIG_DIR

# kind, section whose "listen" it sets, port of number 1, what for. Number n listens 20 × (n − 1) higher.
LISTENERS='comet tcp 8080 clients over TCP
comet ws 8090 clients over WebSocket
comet rpc 8092 gRPC
comet admin 8093 metrics and health
logic api 7172 the HTTP API
logic rpc 7170 gRPC
logic admin 7173 metrics and health
router rpc 7270 gRPC
router admin 7273 metrics and health
job admin 7373 metrics and health'

# The order of ending: a process ends before those that it hands work to.
KINDS='comet job logic router devbus kafka redis'

binary() { say "$BUILD_DIR/$1/imc-$1"; }
kind_of() { say "${1%%-*}"; }

# --- settings: the environment, else what the running cluster was started with, else the default ---

saved() { sed -n "s/^$1=//p" "$RUN_DIR/cluster" 2>/dev/null || true; }

# setting NAME DEFAULT: may be changed while the cluster runs
setting() {
    local value=${!1-}
    [ -n "$value" ] || value=$(saved "$1")
    printf -v "$1" '%s' "${value:-$2}"
}

# fixed_setting NAME DEFAULT: must stay what it is while the cluster runs
fixed_setting() {
    local was
    was=$(saved "$1")
    [ -z "${!1-}" ] || [ -z "$was" ] || [ "${!1}" = "$was" ] ||
        die "$RUN_DIR holds a cluster with $1=$was, not ${!1}: make down first, or name another RUN_DIR"
    setting "$1" "$2"
}

# number NAME MIN MAX
number() {
    [[ ${!1} =~ ^[0-9]{1,6}$ && ${!1} -ge $2 && ${!1} -le $3 ]] ||
        die "$1=${!1}: a number from $2 to $3 is wanted"
}

load_settings() {
    local count
    # Nobody left: what was asked for last time does not bind.
    [ -n "$(running_names)" ] || rm -f "$RUN_DIR/cluster"
    for count in COMETS ROUTERS LOGICS JOBS; do
        setting "$count" 1
        number "$count" 1 100
    done
    fixed_setting BUS devbus
    case $BUS in
    devbus | kafka | *:*) ;;
    *) die "BUS=$BUS: devbus, kafka or a list of brokers (host:port,host:port) is wanted" ;;
    esac
    fixed_setting PORT_OFFSET 0
    number PORT_OFFSET 0 50000
    fixed_setting REDIS_PORT $((6390 + PORT_OFFSET))
    number REDIS_PORT 1 65535
    fixed_setting KAFKA_PORT $((9092 + PORT_OFFSET))
    number KAFKA_PORT 1 65534
    fixed_setting LISTEN 0.0.0.0
    fixed_setting API_LISTEN 127.0.0.1
    fixed_setting TLS 0
    fixed_setting PLAIN 0
    number TLS 0 1
    number PLAIN 0 1
    [ "$TLS" = 0 ] || tls_listeners
}

# With TLS=1 clients come with TLS, with PLAIN=1 also without.
tls_listeners() {
    [ "$PLAIN" = 1 ] || LISTENERS=$(grep -v -E '^comet (tcp|ws) ' <<<"$LISTENERS")
    LISTENERS+=$'\ncomet tcps 8081 clients over TCP with TLS\ncomet wss 8095 clients over WebSocket with TLS'
}

save_settings() {
    local name
    for name in COMETS ROUTERS LOGICS JOBS BUS PORT_OFFSET REDIS_PORT KAFKA_PORT LISTEN API_LISTEN TLS PLAIN; do
        say "$name=${!name}"
    done >"$RUN_DIR/cluster"
}

# The daemons that were asked for, in the order of starting.
daemon_names() {
    local kind n count
    for kind in router logic job comet; do
        count=${kind^^}S
        for ((n = 1; n <= ${!count}; n++)); do
            say "$kind-$n"
        done
    done
}

# Everything that was asked for.
wanted_names() {
    say redis-1
    case $BUS in devbus | kafka) say "$BUS-1" ;; esac
    daemon_names
}

# --- ports ---

# ports_of NAME: "PORT SETTING PURPOSE" a line
ports_of() {
    local kind n k section port purpose
    kind=$(kind_of "$1") n=${1##*-}
    case $kind in
    redis) say "$REDIS_PORT REDIS_PORT Redis" ;;
    kafka) printf '%s\n' "$KAFKA_PORT KAFKA_PORT Kafka" "$((KAFKA_PORT + 1)) KAFKA_PORT Kafka's controller" ;;
    esac
    while read -r k section port purpose; do
        [ "$k" != "$kind" ] || say "$((port + PORT_OFFSET + 20 * (n - 1))) $section.listen $purpose"
    done <<<"$LISTENERS"
}

# port_of NAME SECTION
port_of() { ports_of "$1" | awk -v want="$2.listen" '$2 == want { print $1 }'; }

# The inode of a socket that listens there; nothing if the port is free.
listener_of() {
    local tables=(/proc/net/tcp)
    [ ! -e /proc/net/tcp6 ] || tables+=(/proc/net/tcp6)
    awk -v port="$(printf ':%04X' "$1")" '
        $4 == "0A" && substr($2, length($2) - 4) == port { print $10; exit }' "${tables[@]}"
}

# Who has that socket open, as far as this user may look.
owner_of() {
    local link
    link=$(find /proc/[0-9]*/fd -lname "socket:\\[$1\\]" -print -quit 2>/dev/null || true)
    link=${link#/proc/}
    [ -z "$link" ] || say " by $(cat "/proc/${link%%/*}/comm"), pid ${link%%/*}"
}

# --- processes ---

# runs NAME: its pid, if the process in the pid file is still that program, started from here
runs() {
    local pid exe
    pid=$(cat "$RUN_DIR/$1.pid" 2>/dev/null) && [[ $pid =~ ^[0-9]+$ ]] || return 1
    exe=$(readlink "/proc/$pid/exe") || return 1
    exe=${exe% (deleted)} # rebuilt meanwhile
    case $(kind_of "$1"):${exe##*/} in
    redis:redis-* | kafka:java) ;;
    *:imc-"$(kind_of "$1")") ;;
    *) return 1 ;;
    esac
    case $(readlink "/proc/$pid/cwd")/ in
    "$RUN_DIR"/*) say "$pid" ;;
    *) return 1 ;;
    esac
}

# Every name with a pid file, in the order of ending.
known_names() {
    local kind file
    for kind in $KINDS; do
        for file in "$RUN_DIR/$kind"-*.pid; do
            [ ! -e "$file" ] || basename "$file" .pid
        done
    done
}

running_names() {
    local name
    for name in $(known_names); do
        ! runs "$name" >/dev/null || say "$name"
    done
}

# start NAME DIRECTORY COMMAND ...: in a session of its own, without terminal, logging to run/log. The log of the
# life before stays as NAME.log.1.
start() {
    local name=$1 dir=$2
    shift 2
    [ ! -e "$RUN_DIR/log/$name.log" ] || mv "$RUN_DIR/log/$name.log" "$RUN_DIR/log/$name.log.1"
    # 9 is the lock; a child of a non-interactive shell leads no group, so setsid keeps its pid
    (cd "$dir" && exec setsid "$@" </dev/null >>"$RUN_DIR/log/$name.log" 2>&1 9>&-) &
    say $! >"$RUN_DIR/$name.pid"
}

# One cluster directory, one up or down at a time; till the end of the script.
lock_run_dir() {
    mkdir -p "$RUN_DIR/log"
    RUN_DIR=$(cd "$RUN_DIR" && pwd -P)
    exec 9>"$RUN_DIR/.lock"
    flock -n 9 || die "another make up or make down is at work in $RUN_DIR"
}

# end NAME ...: SIGTERM to all, SIGKILL to who is left after DOWN_TIMEOUT seconds
end() {
    local name pid deadline=$((SECONDS + ${DOWN_TIMEOUT:-40}))
    for name; do
        ! pid=$(runs "$name") || kill -TERM "$pid" 2>/dev/null || true
    done
    for name; do
        while pid=$(runs "$name"); do
            if [ $SECONDS -ge $deadline ]; then
                warn "$name (pid $pid) did not end within ${DOWN_TIMEOUT:-40} s of SIGTERM: killed; see $RUN_DIR/log/$name.log"
                kill -KILL "$pid" 2>/dev/null || true
                deadline=$((SECONDS + 1))
            fi
            sleep 0.05
        done
        rm -f "$RUN_DIR/$name.pid"
    done
}

# end_in_order NAME ...: kind after kind
end_in_order() {
    local kind name group
    for kind in $KINDS; do
        group=()
        for name; do
            [ "$(kind_of "$name")" != "$kind" ] || group+=("$name")
        done
        end ${group[@]+"${group[@]}"}
    done
}
