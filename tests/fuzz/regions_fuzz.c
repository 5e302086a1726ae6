/* The table of nodes.regions, and the addresses that are looked up in it. */
#include "common/base/mem.h"
#include "logic/nodes/regions.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

static void address(const struct regions *regions, const char *text, size_t len)
{
    struct network network;
    struct ip ip;

    if (network_parse(text, len, &network))
        check(network.bits <= 128 && network_has(&network, &network.ip));
    if (!ip_parse(text, len, &ip))
        return;
    int found = regions_find(regions, &ip);
    check(found >= -1 && found < (int)regions_count(regions));
}

/* The first line is the table, the others are addresses. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mem_strndup((const char *)data, size), *line = strchr(text, '\n');
    struct regions *regions = NULL;
    char err[200] = "";

    if (line != NULL)
        *line++ = '\0';
    if (regions_parse(text, &regions, err, sizeof err) != 0) {
        check(regions == NULL && err[0] != '\0');
        free(text);
        return 0;
    }
    check(regions_count(regions) <= REGIONS_MOST && err[0] == '\0');
    for (size_t i = 0; i < regions_count(regions); i++)
        check(regions_name(regions, i)[0] != '\0' &&
              strlen(regions_name(regions, i)) < REGION_NAME_MAX);
    for (; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        address(regions, line, strcspn(line, "\n"));
        if (*line == '\0')
            break;
    }
    regions_free(regions);
    free(text);
    return 0;
}
