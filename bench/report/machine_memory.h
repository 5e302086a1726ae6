/* machine_memory.h - memory of the whole machine. It includes what the kernel holds for sockets,
 * which no process's RSS shows. Controller only. */
#ifndef IMC_BENCH_REPORT_MACHINE_MEMORY_H
#define IMC_BENCH_REPORT_MACHINE_MEMORY_H

#include <stdint.h>
#include <stdio.h>

/* In bytes, except tcp_sockets; 0 where /proc does not tell. */
struct machine {
    /* Free, or a copy of what is on disk. MemAvailable is not used, because it counts half of the
     * kernel's sockets as reclaimable. */
    int64_t unused;
    uint64_t slab;
    uint64_t tcp_buffers; /* in sockets' queues; bounded by net.ipv4.tcp_mem */
    uint64_t tcp_sockets; /* sockets in use */
};

void machine_read(struct machine *out);
/* Adds a line of /proc/meminfo or /proc/net/sockstat to OUT. Other lines change nothing. */
void machine_line(const char *line, uint64_t page, struct machine *out);

#endif
