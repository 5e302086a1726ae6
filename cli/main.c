/* imc - the command line of a cluster. By the name imc-client it is `imc watch`.
 *
 *   arguments_read ─► context_load ─► command->run ─► exit code
 *                     (address, key, CA)   │
 *                                          └─► /v1 of a logic (base/api.h); watch: a comet */
#include "cli/base/api.h"
#include "cli/base/arguments.h"
#include "cli/reference/reference.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

static int run(struct cli *cli)
{
    int rc = cli->command->offline ? 0 : context_load(cli);

    if (rc == 0)
        rc = cli->command->run(cli);
    /* Whoever reads may have gone: `imc rooms | head -1`. */
    if ((fflush(stdout) != 0 || ferror(stdout)) && errno != EPIPE && rc == 0)
        rc = cli_fail(cli, EXIT_FAILED, "cannot write to standard output");
    return rc;
}

int main(int argc, char **argv)
{
    struct cli cli = {0};
    int rc = EXIT_DONE;

    signal(SIGPIPE, SIG_IGN);
    switch (arguments_read(&cli, argc, argv)) {
    case ARGUMENTS_RUN:
        rc = run(&cli);
        break;
    case ARGUMENTS_HELP:
        help_print(cli.command, cli.program, stdout);
        break;
    case ARGUMENTS_VERSION:
        printf("imc %s\n", IMC_VERSION);
        break;
    case ARGUMENTS_WRONG:
        rc = EXIT_USAGE;
        break;
    }
    api_close(cli.api);
    context_free(&cli.context);
    arguments_free(&cli);
    return rc;
}
