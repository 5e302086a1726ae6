#include "bench/report/machine_memory.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KIB = 1024 };

/* The number after NAME in LINE; 0 if it is not there. */
static uint64_t find_number(const char *line, const char *name)
{
    const char *at = strstr(line, name);

    return at != NULL ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/* "TCP: inuse 4 orphan 0 tw 2 alloc 5 mem 1" (pages) or "MemFree:   12345 kB" */
void machine_line(const char *line, uint64_t page, struct machine *out)
{
    static const struct {
        const char *name;
        int sign;
    } unused[] = {{"MemFree:", 1}, {"Buffers:", 1}, {"Cached:", 1}, {"Shmem:", -1}};
    uint64_t bytes = find_number(line, ":") * KIB;

    if (strncmp(line, "TCP:", 4) == 0) {
        out->tcp_sockets = find_number(line, " inuse ");
        out->tcp_buffers = find_number(line, " mem ") * page;
    } else if (strncmp(line, "Slab:", 5) == 0) {
        out->slab = bytes;
    }
    for (size_t i = 0; i < sizeof unused / sizeof unused[0]; i++)
        if (strncmp(line, unused[i].name, strlen(unused[i].name)) == 0)
            out->unused += unused[i].sign * (int64_t)bytes;
}

static void read_file(const char *path, struct machine *out)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    char line[256];
    FILE *file = fopen(path, "r");

    if (file == NULL)
        return;
    while (fgets(line, sizeof line, file) != NULL)
        machine_line(line, page, out);
    fclose(file);
}

void machine_read(struct machine *out)
{
    *out = (struct machine){0};
    read_file("/proc/meminfo", out);
    read_file("/proc/net/sockstat", out);
}
