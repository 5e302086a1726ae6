/* machine.h - memory of the whole machine, what the kernel holds for sockets included, which no
 * process's RSS shows. Controller only. */
#ifndef IMC_BENCH_MACHINE_H
#define IMC_BENCH_MACHINE_H

#include <stdint.h>
#include <stdio.h>

/* Bytes but for the sockets; 0 where /proc does not tell. */
struct machine {
    uint64_t available; /* what the kernel could give to somebody who asks */
    uint64_t slab;
    uint64_t tcp_buffers; /* in sockets' queues; bounded by net.ipv4.tcp_mem */
    uint64_t tcp_sockets; /* in use */
};

void machine_read(struct machine *out);
/* One line of /proc/meminfo or /proc/net/sockstat; others change nothing. */
void machine_line(const char *line, uint64_t page, struct machine *out);

#endif
