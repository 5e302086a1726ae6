#include "common/base/memory_budget.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SHORT_PERCENT = 80,
    CRITICAL_PERCENT = 90,
    GAP_PERCENT = 5, /* a level is left this much below the mark at which it is entered */
    FILE_MAX = 4096,
};

static enum memory_level level_at(uint64_t percent)
{
    return percent >= CRITICAL_PERCENT ? MEMORY_CRITICAL
           : percent >= SHORT_PERCENT  ? MEMORY_SHORT
                                       : MEMORY_OK;
}

bool memory_budget_see(struct memory_budget *memory, uint64_t used)
{
    enum memory_level before = memory->level;
    uint64_t percent = used / (memory->budget / 100 + 1);
    enum memory_level up = level_at(percent), down = level_at(percent + GAP_PERCENT);

    memory->used = used;
    if (up > before)
        memory->level = up;
    else if (down < before)
        memory->level = down;
    if (before == MEMORY_OK && memory->level != MEMORY_OK)
        memory->shortages++;
    return memory->level != before;
}

/* --- what the kernel says --- */

/* Reads the beginning of a file as a string. Returns its length; 0 if it cannot be read. */
static size_t read_file(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, out, size - 1);
    if (fd >= 0)
        close(fd);
    out[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

uint64_t memory_budget_resident(void)
{
    char text[128];
    if (read_file("/proc/self/statm", text, sizeof text) == 0)
        return 0;
    /* "total resident …", in pages */
    return strtoull(text + strcspn(text, " "), NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t machine_bytes(const char *root)
{
    char path[PATH_MAX], text[FILE_MAX];
    (void)snprintf(path, sizeof path, "%s/proc/meminfo", root);
    if (read_file(path, text, sizeof text) == 0)
        return UINT64_MAX;
    const char *total = strstr(text, "MemTotal:");
    uint64_t kib = total == NULL ? 0 : strtoull(total + strlen("MemTotal:"), NULL, 10);
    return kib == 0 ? UINT64_MAX : kib * 1024;
}

/* The least number in FILE, of GROUP and of all groups above it, under MOUNT. Inside a container
 * GROUP may be a path of the host. Then only the topmost group has the file. */
static uint64_t narrowest(const char *root, const char *mount, char *group, const char *file)
{
    uint64_t least = UINT64_MAX;
    for (;;) {
        char path[PATH_MAX], text[64];
        int n = snprintf(path, sizeof path, "%s/sys/fs/cgroup%s%s/%s", root, mount, group, file);
        if (n > 0 && (size_t)n < sizeof path && read_file(path, text, sizeof text) > 0 &&
            text[0] >= '0' && text[0] <= '9') {
            uint64_t bytes = strtoull(text, NULL, 10);
            least = bytes < least ? bytes : least;
        }
        char *slash = strrchr(group, '/');
        if (slash == NULL)
            return least;
        *slash = '\0';
    }
}

/* The memory limit that one line of /proc/self/cgroup leads to: "HIERARCHY:CONTROLLERS:PATH"
 * (cgroups(7)). UINT64_MAX: none. */
static uint64_t line_limit(const char *root, char *line)
{
    char *controllers = strchr(line, ':'), *group;
    if (controllers == NULL || (group = strchr(controllers + 1, ':')) == NULL)
        return UINT64_MAX;
    *group++ = '\0';
    if (strncmp(line, "0::", 2) == 0 && controllers[1] == '\0')
        return narrowest(root, "", group, "memory.max");
    if (strcmp(controllers + 1, "memory") == 0)
        return narrowest(root, "/memory", group, "memory.limit_in_bytes");
    return UINT64_MAX;
}

static uint64_t cgroup_bytes(const char *root)
{
    char path[PATH_MAX], text[FILE_MAX], *rest = text, *line;
    uint64_t least = UINT64_MAX;
    (void)snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    (void)read_file(path, text, sizeof text);
    while ((line = strsep(&rest, "\n")) != NULL) {
        uint64_t bytes = line_limit(root, line);
        least = bytes < least ? bytes : least;
    }
    return least;
}

uint64_t memory_budget_default(const char *root)
{
    uint64_t machine = machine_bytes(root) / 2, group = cgroup_bytes(root) / 4 * 3;
    return group < machine ? group : machine;
}
