/* lifecycle.h - job as a daemon: what daemon_main() needs to run it. */
#ifndef IMC_JOB_LIFECYCLE_H
#define IMC_JOB_LIFECYCLE_H

#include "common/daemon/daemon.h"

extern const struct daemon_spec job_daemon_spec;

#endif
