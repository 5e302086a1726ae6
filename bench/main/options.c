#include "bench/main/options.h"

#include "bench/scenarios/scenario.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: imc-bench SCENARIO --WIRE HOST:PORT,… [--WIRE …] --http HOST:PORT [OPTION …]\n"
    "\n"
    "Scenarios:\n";

static const char usage_options[] =
    "\n"
    "The cluster:\n"
    "  --tcp, --ws, --goim-tcp, --goim-ws, --acked-tcp, --acked-ws LIST\n"
    "                       comets' listeners, and which wire form the clients speak there: "
    "imgo's\n"
    "                       frames, imgo's JSON, goim v2's frames, the same in sessions that\n"
    "                       acknowledge; with several of these, the scenario runs over one after\n"
    "                       the other\n"
    "  --tls CA.pem         clients speak TLS there (tcps.listen, wss.listen), and believe the "
    "CA;\n"
    "                       --resume: all but a worker's first resume its TLS session\n"
    "  --http HOST:PORT     logic's HTTP API; --key KEY if it wants one\n"
    "  --admin LIST         comets' admin listeners: writes, compared with raw send()\n"
    "  --run-dir DIR        reads the daemons' CPU and memory by DIR/NAME.pid (make up's run/)\n"
    "  --pid NAME=PID       the same, by hand: --pid comet-1=4711; may be repeated\n"
    "  --redis HOST:PORT    tokens go straight into the only Redis shard, as logic writes them,\n"
    "                       not through the API\n"
    "The load (defaults depend on the scenario):\n"
    "  --connections N      --rooms R    --group G (uids per push)   --size BYTES (48) of a "
    "message\n"
    "  --rate R             pushes a second, 0 = as fast as they are accepted; latency counts "
    "from\n"
    "                       the intended time\n"
    "  --backlog B          with --rate 0: pushing pauses while B deliveries of what was accepted "
    "are\n"
    "                       missing; 0 = never\n"
    "  --seconds S          of pushing (10), after --warmup S (2) that is not measured\n"
    "  --lanes L            ordered streams of pushes per room: as many can be under way at a "
    "time\n"
    "  --http-connections C (64), one request each at a time\n"
    "  --connect-rate R     connections a second (0: as fast as they are admitted, --in-flight "
    "256)\n"
    "  --members 1|2        of a room: on one comet, or on all comets in turn (0: it does not "
    "matter)\n"
    "  --churn-rate R       --waiting M (messages per user, offline)   --drain S (30)\n"
    "  --workers K          processes that hold connections (as many as the file limit needs)\n"
    "  --nice N             of these (0 to 19): the others go before them where all is busy\n"
    "  --heartbeat S        each session sends one every S seconds (200; comet's limit is 300 by\n"
    "                       default), 0 = none\n"
    "  --memory-before MIB  MemAvailable before the cluster was started: million counts from "
    "there\n"
    "  --plain BODY         every message is BODY, without a stamp: cheap to check, but order is "
    "not\n"
    "                       seen; for room, in one room, and million\n"
    "  --raw S              seconds of measuring raw send() before and after (2 with rooms\n"
    "                       and all, else 0)\n"
    "  --uid-base U         (1000000)\n"
    "The results:\n"
    "  --json FILE          --plot FILE.svg (latency, deliveries, CPU over time)   --quiet\n"
    "\n"
    "Exit codes: 0 all was delivered once and in order, 1 something was not, 2 bad arguments, 3 "
    "the\n"
    "run could not be finished.\n";

enum {
    OPT_NUMBER = 1000,
    OPT_SECONDS = 2000,
    RAW_S = 2,
    BACKLOG = 5,
    MAX_NUMBER = 2000000000,
    HEARTBEAT_S = 200,
    PLAIN_MAX = 400
};

struct number_row {
    const char *name;
    size_t field;
    uint64_t min, max, init;
};

#define FIELD(name) offsetof(struct config, name)
static const struct number_row numbers[] = {
    {"connections", FIELD(connections), 1, STAMP_NUMBERS, SCENARIO_UNSET},
    {"rooms", FIELD(rooms), 0, STAMP_NUMBERS, SCENARIO_UNSET},
    {"group", FIELD(group), 1, 50000, SCENARIO_UNSET},
    {"lanes", FIELD(lanes), 1, STAMP_LANES, SCENARIO_UNSET},
    {"rate", FIELD(rate), 0, 10000000, SCENARIO_UNSET},
    {"churn-rate", FIELD(churn_rate), 0, 1000000, SCENARIO_UNSET},
    {"backlog", FIELD(backlog), 0, UINT64_C(1) << 40, SCENARIO_UNSET},
    {"waiting", FIELD(waiting), 1, 10000, 20},
    {"connect-rate", FIELD(connect_rate), 0, 10000000, 0},
    {"workers", FIELD(workers), 0, WORKERS_MAX, 0},
    {"in-flight", FIELD(in_flight), 1, 100000, 256},
    {"http-connections", FIELD(http_lanes), 1, 4096, 64},
    {"size", FIELD(size), STAMP_SIZE, STAMP_SIZE_MAX, STAMP_SIZE},
    {"uid-base", FIELD(uid_base), 1, MAX_NUMBER, 1000000},
    {"heartbeat", FIELD(heartbeat_s), 0, 86400, HEARTBEAT_S},
    {"members", FIELD(members), MEMBERS_ANYWHERE, MEMBERS_SPREAD, SCENARIO_UNSET},
    {"nice", FIELD(nice), 0, 19, 0},
    {"memory-before", FIELD(memory_before), 0, MAX_NUMBER, 0},
};
enum { NUMBERS = sizeof numbers / sizeof numbers[0] };

static const struct {
    const char *name;
    size_t field;
    double init;
} seconds[] = {
    {"seconds", FIELD(seconds), 10},
    {"warmup", FIELD(warmup_s), 2},
    {"drain", FIELD(drain_s), 30},
    {"raw", FIELD(raw_s), -1},
};
enum { SECONDS = sizeof seconds / sizeof seconds[0] };

static int complain(const char *name, const char *value, const char *wanted)
{
    fprintf(stderr, "imc-bench: %s%s%s: %s (see --help)\n", name, value != NULL ? " " : "",
            value != NULL ? value : "", wanted);
    return -EINVAL;
}

static void print_usage(void)
{
    const struct scenario *scenario;

    fputs(usage, stdout);
    for (size_t i = 0; (scenario = scenario_at(i)) != NULL; i++)
        printf("  %-11s %s\n", scenario->name, scenario->help);
    fputs(usage_options, stdout);
}

static int set_number(struct config *config, const struct number_row *row, const char *text)
{
    char *end, wanted[96];
    unsigned long long value;

    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || *text == '-' || value < row->min ||
        value > row->max) {
        snprintf(wanted, sizeof wanted, "a number from %llu to %llu is wanted",
                 (unsigned long long)row->min, (unsigned long long)row->max);
        return complain(row->name, text, wanted);
    }
    *(uint64_t *)((char *)config + row->field) = value;
    return 0;
}

static int set_seconds(struct config *config, size_t i, const char *text)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end != '\0' || !(value >= 0 && value <= 86400))
        return complain(seconds[i].name, text, "seconds are wanted");
    *(double *)((char *)config + seconds[i].field) = value;
    return 0;
}

static int add_transport(struct config *config, const char *name, const char *list)
{
    if (config->n_transports == TRANSPORTS_MAX)
        return complain(name, list, "too many transports");
    config->transports[config->n_transports] = transport_find(name);
    config->targets[config->n_transports++] = list;
    return 0;
}

/* --- pids --- */

static int add_pid(struct config *config, const char *name, size_t len, const char *pid)
{
    struct config_pid *entry = &config->pids[config->n_pids];
    long value = strtol(pid, NULL, 10);

    if (config->n_pids == PIDS_MAX || len == 0 || len >= sizeof entry->name || value <= 0)
        return complain("--pid", name, "NAME=PID is wanted, as comet-1=4711");
    memcpy(entry->name, name, len);
    entry->name[len] = '\0';
    if (usage_kind_of(entry->name) == USAGE_KINDS)
        return complain("--pid", name,
                        "comet-N, logic-N, router-N, job-N, redis-N, kafka-N or "
                        "devbus-N is wanted");
    entry->pid = (int)value;
    config->n_pids++;
    return 0;
}

static int add_pid_file(struct config *config, const char *dir, const char *file, size_t name_len)
{
    char path[512], text[32] = "";
    FILE *in;
    int failed = 0;

    snprintf(path, sizeof path, "%s/%s", dir, file);
    in = fopen(path, "r");
    if (in == NULL)
        return complain("--run-dir", path, "cannot be read");
    if (fgets(text, sizeof text, in) != NULL)
        failed = add_pid(config, file, name_len, text);
    fclose(in);
    return failed;
}

static int add_run_dir(struct config *config, const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    int failed = 0;

    if (dir == NULL)
        return complain("--run-dir", path, "no such directory");
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the only thread */
    while (failed == 0 && (entry = readdir(dir)) != NULL) {
        size_t len = strlen(entry->d_name);
        if (len > 4 && strcmp(entry->d_name + len - 4, ".pid") == 0)
            failed = add_pid_file(config, path, entry->d_name, len - 4);
    }
    closedir(dir);
    return failed;
}

/* --- all together --- */

static int apply(struct config *config, int c, const char *value)
{
    if (c >= OPT_SECONDS)
        return set_seconds(config, (size_t)(c - OPT_SECONDS), value);
    if (c >= OPT_NUMBER)
        return set_number(config, &numbers[c - OPT_NUMBER], value);
    switch (c) {
    case 't':
        return add_transport(config, "tcp", value);
    case 'w':
        return add_transport(config, "ws", value);
    case 'T':
        return add_transport(config, "goim-tcp", value);
    case 'W':
        return add_transport(config, "goim-ws", value);
    case 'x':
        return add_transport(config, "acked-tcp", value);
    case 'X':
        return add_transport(config, "acked-ws", value);
    case 'h':
        config->http = value;
        return 0;
    case 'k':
        config->key = value;
        return 0;
    case 'a':
        config->admins = value;
        return 0;
    case 'R':
        config->redis = value;
        return 0;
    case 'b':
        config->plain = value;
        return 0;
    case 'C':
        config->cacert = value;
        return 0;
    case 'S':
        config->resume = true;
        return 0;
    case 'r':
        return add_run_dir(config, value);
    case 'p':
        return add_pid(config, value, strcspn(value, "="), value + strcspn(value, "=") + 1);
    case 'j':
        config->json = value;
        return 0;
    case 's':
        config->plot = value;
        return 0;
    case 'q':
        config->quiet = true;
        return 0;
    default:
        return -EINVAL;
    }
}

static void init(struct config *config, struct option *options)
{
    static const struct option fixed[] = {
        {"tcp", 1, NULL, 't'},       {"ws", 1, NULL, 'w'},       {"goim-tcp", 1, NULL, 'T'},
        {"acked-tcp", 1, NULL, 'x'}, {"acked-ws", 1, NULL, 'X'}, {"goim-ws", 1, NULL, 'W'},
        {"http", 1, NULL, 'h'},      {"key", 1, NULL, 'k'},      {"admin", 1, NULL, 'a'},
        {"run-dir", 1, NULL, 'r'},   {"pid", 1, NULL, 'p'},      {"json", 1, NULL, 'j'},
        {"plot", 1, NULL, 's'},      {"redis", 1, NULL, 'R'},    {"plain", 1, NULL, 'b'},
        {"quiet", 0, NULL, 'q'},     {"version", 0, NULL, 'V'},  {"help", 0, NULL, 'H'},
        {"tls", 1, NULL, 'C'},       {"resume", 0, NULL, 'S'},
    };
    size_t n = 0;

    for (; n < sizeof fixed / sizeof fixed[0]; n++)
        options[n] = fixed[n];
    *config = (struct config){.n_pids = 0};
    for (size_t i = 0; i < NUMBERS; i++) {
        *(uint64_t *)((char *)config + numbers[i].field) = numbers[i].init;
        options[n++] = (struct option){numbers[i].name, 1, NULL, OPT_NUMBER + (int)i};
    }
    for (size_t i = 0; i < SECONDS; i++) {
        *(double *)((char *)config + seconds[i].field) = seconds[i].init;
        options[n++] = (struct option){seconds[i].name, 1, NULL, OPT_SECONDS + (int)i};
    }
    options[n] = (struct option){NULL, 0, NULL, 0};
}

/* With --plain, connections are judged by the number of messages they got. So all must get all of
 * them. */
static int check_plain(struct config *config, const struct scenario *scenario)
{
    size_t len;

    if (config->plain == NULL)
        return 0;
    len = strlen(config->plain);
    if ((scenario != &scenario_room && scenario != &scenario_million) || config->rooms != 1 ||
        len == 0 || len > PLAIN_MAX)
        return complain("--plain", config->plain,
                        "a body of 1 to 400 bytes, and scenario room or million, are wanted");
    config->size = len;
    return 0;
}

static int check(struct config *config, int argc, char **argv)
{
    const struct scenario *scenario;

    if (optind + 1 != argc)
        return complain("SCENARIO", NULL, "one, and only one, is wanted");
    config->scenario = argv[optind];
    scenario = scenario_find(config->scenario);
    if (scenario == NULL)
        return complain("SCENARIO", config->scenario, "there is none of that name");
    if (config->n_transports == 0 || config->http == NULL)
        return complain("--tcp, --ws, --goim-tcp or --goim-ws, and --http", NULL, "wanted");
    scenario->defaults(config);
    scenario_default(&config->rooms, 0);
    scenario_default(&config->group, 1);
    scenario_default(&config->lanes, 1);
    scenario_default(&config->rate, 0);
    scenario_default(&config->churn_rate, 0);
    scenario_default(&config->members, MEMBERS_ANYWHERE);
    scenario_default(&config->backlog, BACKLOG * config->connections);
    if (config->raw_s < 0)
        config->raw_s = scenario->walks ? RAW_S : 0;
    if (config->rooms > config->connections)
        return complain("--rooms", NULL, "not more than --connections");
    return check_plain(config, scenario);
}

int options_parse(int argc, char **argv, struct config *config)
{
    struct option options[NUMBERS + SECONDS + 20];

    init(config, options);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the only thread */
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'H') {
            print_usage();
            return 1;
        }
        if (c == 'V') {
            puts("imc-bench " IMC_VERSION);
            return 1;
        }
        if (apply(config, c, optarg) != 0)
            return -EINVAL;
    }
    return check(config, argc, argv);
}
