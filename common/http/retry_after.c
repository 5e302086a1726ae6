#include "common/http/retry_after.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

enum { DIGITS_MOST = 12 };

/* LEN digits. False: they are none, and OUT is untouched. */
static bool read_digits(const char *text, size_t len, int64_t *out)
{
    int64_t value = 0;

    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (text[i] - '0');
    }
    if (len > 0)
        *out = value;
    return len > 0;
}

static bool read_seconds(const char *value, int64_t *out)
{
    size_t len = strlen(value);

    return len <= DIGITS_MOST && read_digits(value, len, out);
}

static int month_of(const char *name)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    for (int i = 0; i < 12; i++) {
        if (memcmp(name, months + (ptrdiff_t)3 * i, 3) == 0)
            return i;
    }
    return -1;
}

/* What RFC 9110 calls IMF-fixdate. */
static bool read_date(const char *value, int64_t *out)
{
    static const char form[] = "Sun, 06 Nov 1994 08:49:37 GMT";
    int64_t day, year, hour, minute, second;

    if (strlen(value) != sizeof form - 1 || memcmp(value + 3, form + 3, 2) != 0 ||
        memcmp(value + 25, form + 25, 4) != 0 || !read_digits(value + 5, 2, &day) ||
        !read_digits(value + 12, 4, &year) || !read_digits(value + 17, 2, &hour) ||
        !read_digits(value + 20, 2, &minute) || !read_digits(value + 23, 2, &second))
        return false;
    struct tm tm = {
        .tm_mday = (int)day,
        .tm_mon = month_of(value + 8),
        .tm_year = (int)year - 1900,
        .tm_hour = (int)hour,
        .tm_min = (int)minute,
        .tm_sec = (int)second,
    };
    if (tm.tm_mon < 0)
        return false;
    *out = timegm(&tm);
    return true;
}

int64_t retry_after_s(const char *value, int64_t now_s, int64_t most_s)
{
    int64_t wait_s = 0, at_s;

    if (value == NULL)
        return 0;
    if (!read_seconds(value, &wait_s) && read_date(value, &at_s))
        wait_s = at_s - now_s;
    if (wait_s < 0)
        return 0;
    return wait_s < most_s ? wait_s : most_s;
}
