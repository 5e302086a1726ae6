#include "common/base/mem.h"
#include "common/config/value.h"
#include "common/daemon/daemon.h"
#include "common/daemon/internal.h"
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEALTH_ANSWER = 8192, CONFIG_ANSWER = 1 << 20 };

static const struct option options[] = {
    {"config", required_argument, NULL, 'c'},
    {"check", no_argument, NULL, DAEMON_CHECK},
    {"dump-config", no_argument, NULL, DAEMON_DUMP},
    {"version", no_argument, NULL, DAEMON_VERSION},
    {"help", no_argument, NULL, DAEMON_HELP},
    {"health", no_argument, NULL, DAEMON_HEALTH},
    {"new-key", required_argument, NULL, DAEMON_NEW_KEY},
    {"doc-config", no_argument, NULL, DAEMON_DOC_CONFIG},
    {"doc-metrics", no_argument, NULL, DAEMON_DOC_METRICS},
    {0},
};

void daemon_print_help(const struct daemon_spec *spec)
{
    printf(
        "imc-%s %s - %s\n\n"
        "usage: imc-%s [-c FILE] [command]\n\n"
        "  -c, --config FILE  read settings from FILE; IMC_<DAEMON>_<SECTION>_<KEY> in the "
        "environment wins\n"
        "      --check        check the configuration, say what a reload of the daemon that runs "
        "would change, and exit\n"
        "      --dump-config  print the configuration in force, every setting explained, and exit\n"
        "      --health       ask a running daemon (admin.listen) whether it is ready; exit 0 if "
        "so\n"
        "      --new-key NAME SCOPES\n"
        "                     make a key with some of the scopes push,read,admin; print it, then "
        "its line for\n"
        "                     the file of keys, and exit\n"
        "      --doc-config   print the settings as Markdown\n"
        "      --doc-metrics  print the metrics as Markdown\n"
        "      --version      print the version\n"
        "      --help         print this\n",
        spec->name, IMC_VERSION, spec->summary, spec->name);
    for (const struct daemon_own_command *own = spec->own_commands;
         own != NULL && own->name != NULL; own++)
        printf("      --%s %s\n                     %s\n", own->name,
               own->argument != NULL ? own->argument : "", own->help);
    puts("\nSIGTERM and SIGINT drain and exit; a second one exits at once. SIGHUP, as POST /reload "
         "at "
         "admin.listen, reads\nkeys, certificates and those settings anew that can change at run "
         "time; the log says what it did.");
}

static int usage(const struct daemon_spec *spec, const char *what, const char *argument)
{
    fprintf(stderr, "imc-%s: %s %s; --help lists what there is\n", spec->name, what, argument);
    return -EINVAL;
}

/* Writes the daemon's own commands to AT. */
static void add_own(const struct daemon_spec *spec, struct option *at)
{
    for (int i = 0; spec->own_commands != NULL && spec->own_commands[i].name != NULL; i++) {
        const struct daemon_own_command *own = &spec->own_commands[i];
        assert(i + 1 < DAEMON_OWN_MAX);
        *at++ = (struct option){own->name, own->argument != NULL ? required_argument : no_argument,
                                NULL, DAEMON_OWN_COMMAND + i};
    }
}

int daemon_parse(const struct daemon_spec *spec, int argc, char **argv,
                 struct daemon_arguments *arguments)
{
    int option;
    struct option all[sizeof(options) / sizeof(options[0]) + DAEMON_OWN_MAX] = {0};
    memcpy(all, options, sizeof(options));
    add_own(spec, &all[sizeof(options) / sizeof(options[0]) - 1]);
    arguments->command = DAEMON_RUN;
    arguments->path = NULL;
    opterr = 0;
    optind = 1;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread runs yet */
    while ((option = getopt_long(argc, argv, ":c:h", all, NULL)) != -1) {
        if (option == 'c')
            arguments->path = optarg;
        else if (option == ':')
            return usage(spec, "a value is missing after", argv[optind - 1]);
        else if (option == '?')
            return usage(spec, "unknown option", argv[optind - 1]);
        else if (arguments->command != DAEMON_RUN)
            return usage(spec, "one command at a time, not also", argv[optind - 1]);
        else
            arguments->command = option == 'h' ? DAEMON_HELP : (enum daemon_command)option;
        if (option >= DAEMON_OWN_COMMAND || option == DAEMON_NEW_KEY)
            arguments->argument = optarg;
    }
    if (arguments->command == DAEMON_NEW_KEY) {
        arguments->scopes = optind < argc ? argv[optind++] : NULL;
        if (arguments->scopes == NULL)
            return usage(spec, "SCOPES are missing after --new-key", arguments->argument);
    }
    return optind < argc ? usage(spec, "unexpected argument", argv[optind]) : 0;
}

/* The status of an ANSWER of HTTP; 0: it is none. */
static int answer_status(const char *answer)
{
    return strncmp(answer, "HTTP/1.", 7) == 0 ? (int)strtol(answer + 8, NULL, 10) : 0;
}

static const char *answer_body(const char *answer)
{
    const char *body = strstr(answer, "\r\n\r\n");

    return body != NULL ? body + 4 : answer;
}

int daemon_health(const struct daemon_config *config)
{
    char answer[HEALTH_ANSWER];
    ssize_t n = daemon_ask(config, "/readyz", answer, sizeof(answer));

    if (n < 0) {
        if (n == -EDESTADDRREQ)
            fprintf(stderr, "admin.listen is empty: there is nothing to ask\n");
        else
            fprintf(stderr, "no answer from %s: %s\n", config->admin_listen, uv_strerror((int)n));
        return 1;
    }
    if (answer_status(answer) == 200)
        return 0;
    fputs(answer_body(answer), stdout);
    return 1;
}

/* The value of a setting in TEXT, as config_dump() wrote it, copied; NULL: it is not shown there.
 */
static char *dumped_value(const char *text, const struct config_row *row)
{
    char head[DAEMON_WHY_MAX];

    snprintf(head, sizeof(head), "[%s]\n", row->section);
    const char *at = strstr(text, head);
    const char *end = at != NULL ? strstr(at, "\n[") : NULL;
    snprintf(head, sizeof(head), "\n%s = ", row->key);
    at = at != NULL ? strstr(at, head) : NULL;
    if (at == NULL || (end != NULL && at > end))
        return NULL;
    at += strlen(head);
    return mem_strndup(at, strcspn(at, "\n"));
}

static void compare_running(const struct daemon *daemon, const char *dump)
{
    const struct config_row *row;
    char number[CONFIG_NUMBER_MAX];

    for (size_t i = 0; (row = config_row_at(daemon->internal->tables, i)) != NULL; i++) {
        const char *wanted = config_value_text(row, daemon->config, number, sizeof(number));
        char *running = dumped_value(dump, row);
        const struct config_change change = {row, running, wanted};

        if (running != NULL && strcmp(running, wanted) != 0)
            daemon_print_change(&change, false, stdout);
        free(running);
    }
}

void daemon_check_running(struct daemon *daemon)
{
    const struct daemon_config *config = daemon->config;
    char *answer = mem_alloc(CONFIG_ANSWER);
    ssize_t n = daemon_ask(config, "/config", answer, CONFIG_ANSWER);

    if (n >= 0 && answer_status(answer) == 200) {
        printf("beside the daemon that runs at %s (secrets are not compared):\n",
               config->admin_listen);
        compare_running(daemon, answer_body(answer));
    } else if (n >= 0) {
        printf(
            "the daemon that runs at %s does not show its settings (status %d), so they were not "
            "compared; GET /changes with a key does it\n",
            config->admin_listen, answer_status(answer));
    }
    free(answer);
}
