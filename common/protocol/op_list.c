#include "common/protocol/op_list.h"

#include <errno.h>
#include <stdbool.h>

int op_list_next(const void *list, size_t len, size_t *at, int32_t *op)
{
    const uint8_t *text = list;
    bool negative = *at < len && text[*at] == '-';
    int64_t value = 0;
    size_t first = *at += negative;

    for (; *at < len && text[*at] != ','; ++*at) {
        if (text[*at] < '0' || text[*at] > '9')
            return -EBADMSG;
        value = value * 10 + (text[*at] - '0');
        if (value > INT64_C(1) + INT32_MAX)
            return -EBADMSG;
    }
    value = negative ? -value : value;
    if (*at == first || value > INT32_MAX)
        return -EBADMSG;
    *op = (int32_t)value;
    if (*at < len && ++*at == len)
        return -EBADMSG;
    return 0;
}
