#include "job/lifecycle.h"

int main(int argc, char **argv)
{
    return daemon_main(&job_daemon_spec, argc, argv);
}
