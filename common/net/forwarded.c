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

size_t forwarded_cut(const char *text, size_t *len, const char **item)
{
    size_t end = *len, begin;

    while (end > 0 && is_space(text[end - 1]))
        end--;
    for (begin = end; begin > 0 && text[begin - 1] != ',';)
        begin--;
    *len = begin > 0 ? begin - 1 : 0;
    while (begin < end && is_space(text[begin]))
        begin++;
    *item = text + begin;
    return end - begin;
}

int forwarded_last(const char *text, size_t *len, struct ip *out)
{
    const char *item;
    size_t n = forwarded_cut(text, len, &item);

    if (n == 0 && item == text)
        return 0;
    return read_item(item, n, out) ? 1 : -EBADMSG;
}
