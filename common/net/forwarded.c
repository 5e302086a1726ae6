#include "common/net/forwarded.h"

#include <errno.h>
#include <string.h>

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static bool read_item(const char *text, size_t len, struct ip *out)
{
    struct address address;

    if (ip_parse(text, len, out))
        return true;
    if (len > 2 && text[0] == '[' && text[len - 1] == ']')
        return ip_parse(text + 1, len - 2, out);
    return address_parse(text, len, &address) == 0 &&
           ip_parse(address.host, strlen(address.host), out);
}

int forwarded_last(const char *text, size_t *len, struct ip *out)
{
    size_t end = *len, begin;

    while (end > 0 && is_space(text[end - 1]))
        end--;
    if (end == 0) {
        *len = 0;
        return 0;
    }
    for (begin = end; begin > 0 && text[begin - 1] != ',';)
        begin--;
    *len = begin > 0 ? begin - 1 : 0;
    while (begin < end && is_space(text[begin]))
        begin++;
    return read_item(text + begin, end - begin, out) ? 1 : -EBADMSG;
}
