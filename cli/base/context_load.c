/* Which cluster is meant, of all that says so. context.c reads the file. */
#include "cli/base/arguments.h"
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <uv.h>

#define DEFAULT_ADDRESS "http://127.0.0.1:7172"

enum { FILE_MAX = 65536 };

/* NULL if NAME is not set, or empty. */
static const char *variable(const char *name)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody changes the environment */
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

char *context_path(void)
{
    const char *config = variable("IMC_CONFIG"), *base = variable("XDG_CONFIG_HOME"),
               *home = variable("HOME");
    char *path = NULL;
    int n = -1;

    if (config != NULL)
        return mem_strdup(config);
    if (base != NULL)
        n = asprintf(&path, "%s/imc/config", base);
    else if (home != NULL)
        n = asprintf(&path, "%s/.config/imc/config", home);
    return n < 0 ? NULL : path;
}

static int read_file(struct cli *cli, const char *name)
{
    char err[CONTEXT_ERROR_MAX], *path = context_path(), *text = NULL;
    ssize_t len = path != NULL ? file_read(path, FILE_MAX, &text) : -ENOENT;
    int rc = 0;

    if (len == -ENOENT && name == NULL && variable("IMC_CONFIG") == NULL)
        rc = 0; /* nobody needs one */
    else if (len < 0)
        rc = cli_fail(cli, EXIT_USAGE, "cannot read %s: %s",
                      path != NULL ? path : "~/.config/imc/config", uv_strerror((int)len));
    else if (context_parse(&cli->context, path, text, name, err, sizeof err) != 0)
        rc = cli_fail(cli, EXIT_USAGE, "%s", err);
    free(text);
    free(path);
    return rc;
}

/* --- the key --- */

static bool is_private(const char *path, struct stat *status)
{
    return stat(path, status) != 0 || S_ISFIFO(status->st_mode) || S_ISCHR(status->st_mode) ||
           (status->st_mode & (S_IRWXG | S_IRWXO)) == 0;
}

static int read_key(struct cli *cli)
{
    struct context *context = &cli->context;
    struct stat status = {0};
    char *text = NULL;

    if (context->key_file == NULL)
        return 0;
    if (!is_private(context->key_file, &status))
        return cli_fail(cli, EXIT_USAGE,
                        "%s: others may read or write this key (mode %04o): chmod 600 %s",
                        context->key_file, (unsigned)status.st_mode & 07777, context->key_file);
    ssize_t len = file_read(context->key_file, CONTEXT_KEY_MAX, &text);
    if (len < 0)
        return cli_fail(cli, EXIT_USAGE, "cannot read the key in %s: %s", context->key_file,
                        uv_strerror((int)len));
    while (len > 0 && strchr("\r\n \t", text[len - 1]) != NULL)
        text[--len] = '\0';
    mem_wiped_free_text(context->key);
    context->key = text;
    return 0;
}

static int check_key(const struct cli *cli)
{
    const struct context *context = &cli->context;
    size_t len = context->key != NULL ? strlen(context->key) : 0;

    if (context->key == NULL)
        return 0;
    if (len == 0 || len > CONTEXT_KEY_MAX || text_has_control(context->key, len) ||
        strchr(context->key, ' ') != NULL)
        return cli_fail(cli, EXIT_USAGE, "the key in %s is no key: one line, without spaces",
                        context->key_file != NULL ? context->key_file : "IMC_KEY");
    if (!context->url.tls && !context->insecure && !http_url_is_loopback(&context->url))
        return cli_fail(cli, EXIT_USAGE,
                        "whoever reads the network could read the key on its way to %s: use https, "
                        "or say --insecure",
                        context->address);
    return 0;
}

/* --- all of it --- */

static void override(struct cli *cli, char **field, const char *name, const char *env)
{
    const char *option = option_text(cli, name), *value = option != NULL ? option : variable(env);

    if (value != NULL)
        context_set(field, mem_strdup(value));
}

static int check_address(struct cli *cli)
{
    struct context *context = &cli->context;
    const char *why;

    if (context->address == NULL)
        context->address = mem_strdup(DEFAULT_ADDRESS);
    if (http_url_parse(context->address, &context->url, &why) != 0)
        return cli_fail(cli, EXIT_USAGE, "the address %s: %s; as in %s", context->address, why,
                        DEFAULT_ADDRESS);
    if (strcmp(context->url.path, "/") != 0)
        return cli_fail(cli, EXIT_USAGE, "the address %s: it has no path: the API is at /v1",
                        context->address);
    if (context->ca != NULL && !context->url.tls)
        return cli_fail(cli, EXIT_USAGE, "a CA is given, but %s is not https", context->address);
    return 0;
}

int context_load(struct cli *cli)
{
    struct context *context = &cli->context;
    const char *chosen = option_text(cli, "context");
    int rc = read_file(cli, chosen != NULL ? chosen : variable("IMC_CONTEXT"));

    if (rc != 0)
        return rc;
    override(cli, &context->address, "address", "IMC_ADDRESS");
    override(cli, &context->ca, "ca", "IMC_CA");
    if (variable("IMC_KEY") != NULL && !option_given(cli, "key-file"))
        context->key = mem_strdup(variable("IMC_KEY"));
    override(cli, &context->key_file, "key-file", "IMC_KEY_FILE");
    context->insecure |= option_given(cli, "insecure");
    rc = check_address(cli);
    if (rc == 0 && context->key == NULL)
        rc = read_key(cli);
    return rc != 0 ? rc : check_key(cli);
}
