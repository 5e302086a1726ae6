#include "common/protocol/name.h"
#include "common/base/text.h"
#include "common/base/utf8.h"

bool name_is_valid(const void *name, size_t len, size_t most)
{
    return len > 0 && len <= most && utf8_is_valid(name, len) && !text_has_control(name, len);
}
