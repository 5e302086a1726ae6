/* A first configuration.
 *
 *   init KIND    ─► its settings, all commented out: a default that changes later then holds
 *   init cluster ─► one of each daemon on this machine, with keys
 *
 * No file that is there is written over. */
#include "cli/commands/init.h"
#include "cli/base/print.h"
#include "cli/commands/run.h"
#include "common/auth/keys.h"
#include "common/auth/new_key.h"
#include "common/base/random.h"
#include "common/base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

enum { SECRET_BYTES = 32 };

/* What differs from the default. */
struct change {
    const char *section, *key;
    const char *file; /* of the folder */
};

static const struct change changes[] = {
    {"rpc", "key_file", "rpc.key"},
    {"admin", "keys_file", "admin.keys"},
    {"api", "keys_file", "api.keys"},
};

static bool is(struct page_line line, const char *text)
{
    return line.len == strlen(text) && memcmp(line.text, text, line.len) == 0;
}

static const struct change *change_of(const struct settings_walk *walk)
{
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        if (is(walk->section, changes[i].section) && is(walk->key, changes[i].key))
            return &changes[i];
    }
    return NULL;
}

/* Writes KIND's file. FOLDER: that of a cluster's keys; NULL: nothing differs from the defaults. */
static void write_settings(FILE *out, const char *kind, const char *folder)
{
    struct settings_walk walk = {0};

    if (!settings_page(kind, &walk.page))
        return;
    fprintf(out,
            "# Settings of imc-%s " IMC_VERSION
            ". Those that are commented out have their defaults.\n"
            "# imc check says what is wrong with this file.\n\n",
            kind);
    while (settings_walk(&walk)) {
        const struct change *change = folder != NULL ? change_of(&walk) : NULL;
        if (change != NULL)
            fprintf(out, "%s = %s/%s\n", change->key, folder, change->file);
        else
            fprintf(out, "%s%.*s\n", walk.key.len > 0 ? ";" : "", (int)walk.line.len,
                    walk.line.text);
    }
}

/* --- files --- */

/* A new file, which its owner alone reads if it is SECRET. NULL: a line on stderr says why. */
static FILE *create(const struct cli *cli, const char *path, bool secret)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, secret ? 0600 : 0644);
    FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;

    if (out == NULL)
        (void)cli_fail(cli, EXIT_FAILED,
                       errno == EEXIST ? "%s is there already: %s" : "cannot write %s: %s", path,
                       errno == EEXIST ? "nothing is written over" : uv_strerror(-errno));
    return out;
}

static int finish(const struct cli *cli, FILE *out, const char *path)
{
    bool wrong = ferror(out) != 0;

    if (fclose(out) == 0 && !wrong)
        return 0;
    return cli_fail(cli, EXIT_FAILED, "cannot write %s: %s", path, uv_strerror(-errno));
}

/* A folder, and the path of one of its files. */
struct folder {
    const char *path;
    char file[PATH_MAX + 64];
};

static const char *in(struct folder *folder, const char *name)
{
    (void)snprintf(folder->file, sizeof folder->file, "%s/%s", folder->path, name);
    return folder->file;
}

static int write_secret(const struct cli *cli, struct folder *folder, const char *name,
                        const char *secret)
{
    const char *path = in(folder, name);
    FILE *out = create(cli, path, true);

    if (out == NULL)
        return EXIT_FAILED;
    fprintf(out, "%s\n", secret);
    return finish(cli, out, path);
}

/* The secret of the daemons among themselves. */
static int write_rpc_key(const struct cli *cli, struct folder *folder)
{
    uint8_t bytes[SECRET_BYTES];
    char text[2 * SECRET_BYTES + 1];

    random_wait(bytes, sizeof bytes);
    text_to_hex(bytes, sizeof bytes, text);
    int rc = write_secret(cli, folder, "rpc.key", text);
    explicit_bzero(bytes, sizeof bytes);
    explicit_bzero(text, sizeof text);
    return rc;
}

/* A key of all scopes: NAME.key has it, NAME.keys its digest, which the daemon reads. */
static int write_key(const struct cli *cli, struct folder *folder, const char *keys,
                     const char *key_file)
{
    char key[NEW_KEY_MAX], digest[2 * KEY_DIGEST_LEN + 1];
    uint8_t bytes[KEY_DIGEST_LEN];

    new_key_make(key);
    key_digest(key, strlen(key), bytes);
    text_to_hex(bytes, sizeof bytes, digest);
    int rc = write_secret(cli, folder, key_file, key);
    explicit_bzero(key, sizeof key);
    if (rc != 0)
        return rc;
    const char *path = in(folder, keys);
    FILE *out = create(cli, path, true);
    if (out == NULL)
        return EXIT_FAILED;
    fprintf(out,
            "# NAME SCOPES sha256:DIGEST, a line for each key: imc-logic --new-key makes more.\n"
            "operator push,read,admin sha256:%s\n",
            digest);
    return finish(cli, out, path);
}

static int write_daemon(const struct cli *cli, struct folder *folder, const char *kind)
{
    char name[32];

    (void)snprintf(name, sizeof name, "%s.ini", kind);
    const char *path = in(folder, name);
    FILE *out = create(cli, path, false);
    if (out == NULL)
        return EXIT_FAILED;
    write_settings(out, kind, folder->path);
    return finish(cli, out, path);
}

static int write_context(const struct cli *cli, struct folder *folder)
{
    const char *path = in(folder, "imc.conf");
    FILE *out = create(cli, path, false);

    if (out == NULL)
        return EXIT_FAILED;
    fprintf(out,
            "# For the command line: IMC_CONFIG=%s, or its sections in ~/.config/imc/config.\n"
            "[default]\naddress = http://127.0.0.1:7172\nkey_file = api.key\n",
            path);
    return finish(cli, out, path);
}

/* --- the command --- */

static int init_cluster(struct cli *cli, const char *directory)
{
    char absolute[PATH_MAX];
    struct folder folder = {.path = absolute};

    if (directory == NULL)
        return cli_usage(cli, "into which folder? --dir");
    if ((mkdir(directory, 0755) != 0 && errno != EEXIST) || realpath(directory, absolute) == NULL)
        return cli_fail(cli, EXIT_FAILED, "cannot make the folder %s: %s", directory,
                        uv_strerror(-errno));
    int rc = write_rpc_key(cli, &folder);
    if (rc == 0)
        rc = write_key(cli, &folder, "api.keys", "api.key");
    if (rc == 0)
        rc = write_key(cli, &folder, "admin.keys", "admin.key");
    for (size_t i = 0; rc == 0 && daemon_kinds[i] != NULL; i++)
        rc = write_daemon(cli, &folder, daemon_kinds[i]);
    if (rc == 0)
        rc = write_context(cli, &folder);
    if (rc != 0)
        return rc;
    printf(
        "One of each daemon, on this machine, with a Redis on port 6379 and a Kafka on 9092:\n\n");
    for (size_t i = 0; daemon_kinds[i] != NULL; i++)
        printf("    imc-%s -c %s/%s.ini\n", daemon_kinds[i], absolute, daemon_kinds[i]);
    printf("\nThen:\n\n    export IMC_CONFIG=%s/imc.conf\n    imc cluster\n\n"
           "For several machines see imc doc operations.\n",
           absolute);
    return EXIT_DONE;
}

static int init(struct cli *cli)
{
    const char *kind = cli->arguments[0], *directory = option_text(cli, "dir");
    struct folder folder = {.path = directory};

    if (strcmp(kind, "cluster") == 0)
        return init_cluster(cli, directory);
    if (directory != NULL)
        return write_daemon(cli, &folder, kind);
    write_settings(stdout, kind, NULL);
    return EXIT_DONE;
}

static const struct option_row init_options[] = {
    {"dir", "DIR", VALUE_DIRECTORY, "Write files into this folder, in place of standard output."},
    {0},
};

static const char *const kinds[] = {"cluster", "comet", "logic", "router", "job", NULL};

const struct command command_init = {
    .name = "init",
    .arguments = "cluster|comet|logic|router|job",
    .min = 1,
    .max = 1,
    .words = kinds,
    .summary = "write a first configuration, of a daemon or of a cluster",
    .doc = "Of a daemon: all its settings, each explained, and commented out where they have their "
           "defaults. Of a cluster: a file for each daemon on this machine, with keys for the API, "
           "the admin pages and the daemons among themselves, and a file of contexts. Files that "
           "are there are not written over.",
    .example = "imc init comet >comet.ini\nimc init cluster --dir /etc/imc",
    .options = init_options,
    .offline = true,
    .no_json = true,
    .run = init,
};
