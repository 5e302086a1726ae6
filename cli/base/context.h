/* context.h - which cluster is meant: the address of a logic, the key, and whom TLS believes.
 *
 *   later ones win:  defaults ─► the file of contexts ─► environment ─► options
 *
 * The file is $IMC_CONFIG, or imc/config in $XDG_CONFIG_HOME or ~/.config. It is an INI file with a
 * section for each cluster. A line `context = NAME` before them says which one is meant if nothing
 * else does; without it, the section [default] is.
 *
 * Whoever reads a key may use it. So a file with one is refused if others may read it. One
 * thread. */
#ifndef IMC_CLI_BASE_CONTEXT_H
#define IMC_CLI_BASE_CONTEXT_H

#include "common/http/url.h"

#include <stdbool.h>
#include <stddef.h>

struct cli;

struct context {
    char *name;    /* of its section; NULL: there is none */
    char *address; /* as it was given */
    struct http_url url;
    char *key_file;
    char *key;                  /* NULL: none */
    char *ca;                   /* PEM file; NULL: the system's store */
    char *comet_tcp, *comet_ws; /* where watch connects; NULL: it asks /v1/nodes */
    bool insecure;
};

enum { CONTEXT_KEY_MAX = 4096, CONTEXT_ERROR_MAX = 512 };

/* What a file of contexts says of one of them, before options and environment. TEXT is the file's,
 * PATH what it is called in errors; paths in it begin at its folder. NAME NULL: the one it names
 * itself. 0, or -EINVAL with ERR. -ENOENT: there is no section NAME. */
int context_parse(struct context *context, const char *path, const char *text, const char *name,
                  char *err, size_t errlen);
/* The path of the file, to be freed. NULL: there is no home. */
char *context_path(void);
/* Fills cli->context. 0; or an exit code, after a line on stderr. */
int context_load(struct cli *cli);
/* Frees what a field has, and takes VALUE in its place. */
void context_set(char **field, char *value);
/* Overwrites the key. */
void context_free(struct context *context);

#endif
