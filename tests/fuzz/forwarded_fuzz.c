/* X-Forwarded-For, as a proxy passes it on: whatever is in it, an address comes out. */
#include "common/base/mem.h"
#include "common/net/network.h"
#include "logic/http/local_callers.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct local_callers *local = local_callers_open("10.0.0.0/8,fd00::/8", "");
    char *text = mem_strndup((const char *)data, size), ip[LOCAL_CALLERS_IP_MAX];
    size_t first = strcspn(text, "\n");
    const char *lines[] = {text, text[first] == '\n' ? text + first + 1 : ""};
    struct ip address;

    text[first] = '\0';
    local_callers_client_behind(local, "127.0.0.1", lines, 2, ip);
    check(ip_parse(ip, strlen(ip), &address));
    check(strcmp(ip, "127.0.0.1") == 0 || strstr(lines[0], ip) != NULL ||
          strstr(lines[1], ip) != NULL);
    local_callers_client_behind(local, "8.8.8.8", lines, 2, ip);
    check(strcmp(ip, "8.8.8.8") == 0);
    free(text);
    local_callers_close(local);
    return 0;
}
