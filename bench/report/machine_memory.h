/* machine_memory.h - memory of the whole machine, what the kernel holds for sockets included, which
 * no process's RSS shows. Controller only. */
#ifndef IMC_BENCH_REPORT_MACHINE_MEMORY_H
#define IMC_BENCH_REPORT_MACHINE_MEMORY_H

#include <stdint.h>
#include <stdio.h>

/* Bytes but for the sockets; 0 where /proc does not tell. */
struct machine {
    /* Free, or a copy of what is on disk. Not MemAvailable: that counts half of the kernel's
     * sockets as if they could be given back. */
    int64_t unused;
    uint64_t slab;
    uint64_t tcp_buffers; /* in sockets' queues; bounded by net.ipv4.tcp_mem */
    uint64_t tcp_sockets; /* in use */
};

void machine_read(struct machine *out);
/* Adds one line of /proc/meminfo or /proc/net/sockstat; others change nothing. */
void machine_line(const char *line, uint64_t page, struct machine *out);

#endif
