#include "bench/machine.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The number after NAME in LINE; FOUND unchanged if it is not there. */
static void find_number(const char *line, const char *name, uint64_t unit, uint64_t *found)
{
    const char *at = strstr(line, name);

    if (at != NULL)
        *found = strtoull(at + strlen(name), NULL, 10) * unit;
}

/* "MemAvailable:   12345 kB", "TCP: inuse 4 orphan 0 tw 2 alloc 5 mem 1" (pages) */
void machine_line(const char *line, uint64_t page, struct machine *out)
{
    if (strncmp(line, "TCP:", 4) == 0) {
        find_number(line, " inuse ", 1, &out->tcp_sockets);
        find_number(line, " mem ", page, &out->tcp_buffers);
    } else if (strncmp(line, "MemAvailable:", 13) == 0) {
        find_number(line, ":", 1024, &out->available);
    } else if (strncmp(line, "Slab:", 5) == 0) {
        find_number(line, ":", 1024, &out->slab);
    }
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
