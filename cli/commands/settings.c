/* What a daemon may be told: its defaults, the names of its settings in the environment, a first
 * file, and the check of one.
 *
 *   configs/KIND.ini, in the program ─┬─► default: as it is
 *                                     ├─► env: a variable for each setting
 *                                     └─► init: commented out, but for what a cluster needs
 *   imc-KIND --check ◄── check: the program that will read the file judges it */
#include "cli/base/print.h"
#include "cli/commands/init.h"
#include "cli/commands/run.h"
#include "cli/pages/pages.h"

#include <ctype.h>
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

const char *const daemon_kinds[] = {"comet", "logic", "router", "job", NULL};

bool settings_page(const char *kind, struct page *page)
{
    char name[32];

    (void)snprintf(name, sizeof name, "%s.ini", kind);
    return page_find(name, page);
}

bool settings_walk(struct settings_walk *walk)
{
    while (page_next(&walk->page, &walk->at, &walk->line)) {
        const char *text = walk->line.text, *equals = memchr(text, '=', walk->line.len);
        walk->key.len = 0;
        if (walk->line.len > 2 && text[0] == '[')
            walk->section = (struct page_line){text + 1, walk->line.len - 2};
        else if (walk->line.len > 0 && text[0] != '#' && equals != NULL) {
            size_t len = (size_t)(equals - text);
            size_t blank = len + 1 < walk->line.len && equals[1] == ' ' ? 2 : 1;
            walk->key = (struct page_line){text, text[len - 1] == ' ' ? len - 1 : len};
            walk->value = (struct page_line){equals + blank, walk->line.len - len - blank};
        }
        return true;
    }
    return false;
}

/* --- default --- */

/* Is it "section.key"? */
static bool is_named(const struct settings_walk *walk, const char *name)
{
    size_t section = walk->section.len, key = walk->key.len;

    return key > 0 && strlen(name) == section + 1 + key &&
           memcmp(name, walk->section.text, section) == 0 && name[section] == '.' &&
           memcmp(name + section + 1, walk->key.text, key) == 0;
}

/* Prints one setting, and the comment before it. */
static int print_setting(const struct cli *cli, const struct page *page, const char *name)
{
    struct settings_walk walk = {.page = *page};
    const char *comment = NULL;

    while (settings_walk(&walk)) {
        bool is_comment = walk.line.len > 0 && walk.line.text[0] == '#';
        if (is_comment && comment == NULL)
            comment = walk.line.text;
        if (is_named(&walk, name)) {
            const char *from = comment != NULL ? comment : walk.line.text;
            printf("[%.*s]\n%.*s\n", (int)walk.section.len, walk.section.text,
                   (int)(walk.line.text + walk.line.len - from), from);
            return EXIT_DONE;
        }
        if (!is_comment)
            comment = NULL;
    }
    return cli_fail(cli, EXIT_NOT_FOUND, "%s has no setting %s", cli->arguments[0], name);
}

static int print_default(struct cli *cli)
{
    struct page page;

    if (!settings_page(cli->arguments[0], &page))
        return cli_fail(cli, EXIT_FAILED, "nothing is known of %s", cli->arguments[0]);
    if (cli->n_arguments > 1)
        return print_setting(cli, &page, cli->arguments[1]);
    (void)fwrite(page.text, 1, page.len, stdout);
    return EXIT_DONE;
}

const struct command command_default = {
    .name = "default",
    .arguments = "comet|logic|router|job [SETTING]",
    .min = 1,
    .max = 2,
    .words = daemon_kinds,
    .summary = "the settings of a daemon with their defaults, each explained",
    .doc = "In the form of its file. With SETTING only that one.",
    .example = "imc default logic push.max_lag",
    .offline = true,
    .no_json = true,
    .run = print_default,
};

/* --- env --- */

static void put_upper(struct page_line text)
{
    for (size_t i = 0; i < text.len; i++)
        putchar(isalnum((unsigned char)text.text[i]) ? toupper((unsigned char)text.text[i]) : '_');
}

static int print_env(struct cli *cli)
{
    const char *kind = cli->arguments[0];
    struct settings_walk walk = {0};

    if (!settings_page(kind, &walk.page))
        return cli_fail(cli, EXIT_FAILED, "nothing is known of %s", kind);
    while (settings_walk(&walk)) {
        if (walk.key.len == 0)
            continue;
        printf("IMC_");
        put_upper((struct page_line){kind, strlen(kind)});
        putchar('_');
        put_upper(walk.section);
        putchar('_');
        put_upper(walk.key);
        printf("=%.*s\n", (int)walk.value.len, walk.value.text);
    }
    return EXIT_DONE;
}

const struct command command_env = {
    .name = "env",
    .arguments = "comet|logic|router|job",
    .min = 1,
    .max = 1,
    .words = daemon_kinds,
    .summary = "the variables of the environment that a daemon reads, with their defaults",
    .doc = "A variable wins over the file. imc doc says what each means.",
    .example = "imc env comet | grep TLS",
    .offline = true,
    .no_json = true,
    .run = print_env,
};

/* --- check --- */

/* Which daemon FILE is of: --daemon, or the one that its name has in it. NULL: not known. */
static const char *kind_of(const struct cli *cli, const char *file)
{
    const char *given = option_text(cli, "daemon"), *slash = strrchr(file, '/');
    const char *base = slash != NULL ? slash + 1 : file;

    for (const char *const *kind = daemon_kinds; *kind != NULL; kind++) {
        if (given != NULL ? strcmp(given, *kind) == 0 : strstr(base, *kind) != NULL)
            return *kind;
    }
    return NULL;
}

/* The program of a daemon: beside this one, where the build puts it, or wherever PATH has it. */
static void find_program(const char *kind, char *path, size_t len)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    const char *slash = n > 0 ? memrchr(self, '/', (size_t)n) : NULL;
    int folder = slash != NULL ? (int)(slash - self) : 0;

    (void)snprintf(path, len, "%.*s/imc-%s", folder, self, kind);
    if (folder > 0 && access(path, X_OK) == 0)
        return;
    (void)snprintf(path, len, "%.*s/../%s/imc-%s", folder, self, kind, kind);
    if (folder > 0 && access(path, X_OK) == 0)
        return;
    (void)snprintf(path, len, "imc-%s", kind);
}

static int check_file(const struct cli *cli, char *file)
{
    const char *kind = kind_of(cli, file);
    char path[8300], check[] = "--check", config[] = "-c";
    char *argv[] = {path, config, file, check, NULL};
    int status;
    pid_t pid;

    if (kind == NULL)
        return cli_usage(cli, "%s: of which daemon? --daemon comet, logic, router or job", file);
    find_program(kind, path, sizeof path);
    (void)fflush(stdout);
    int err = posix_spawnp(&pid, path, NULL, NULL, argv, environ);
    if (err != 0)
        return cli_fail(cli, EXIT_FAILED, "cannot run imc-%s, which checks it: %s", kind,
                        uv_strerror(-err));
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? EXIT_DONE : EXIT_FAILED;
}

static int check(struct cli *cli)
{
    int worst = EXIT_DONE;

    for (size_t i = 0; i < cli->n_arguments; i++) {
        if (cli->n_arguments > 1)
            printf("%s: ", cli->arguments[i]);
        int rc = check_file(cli, cli->arguments[i]);
        worst = rc > worst ? rc : worst;
    }
    return worst;
}

static const struct option_row check_options[] = {
    {"daemon", "DAEMON", VALUE_TEXT,
     "comet, logic, router or job, if the file's name does not say it."},
    {0},
};

const struct command command_check = {
    .name = "check",
    .arguments = "FILE…",
    .min = 1,
    .max = 64,
    .kind = VALUE_FILE,
    .summary = "check the configuration of a daemon",
    .doc = "By the daemon's own --check: so its program has to be beside imc, or in the PATH. "
           "Variables of the environment count, as they do when it starts. Files that the settings "
           "name are read, too.\n\nExit code 1: it is wrong, and a line says where.",
    .example = "imc check /etc/imc/comet.ini /etc/imc/logic.ini",
    .options = check_options,
    .offline = true,
    .no_json = true,
    .run = check,
};
