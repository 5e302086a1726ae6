#include "common/http/path.h"
#include "common/base/text.h"

#include <stdint.h>
#include <string.h>

/* Does PATH have a byte that has to be percent-encoded? Some servers let it through raw. */
static bool has_raw_byte(const char *path)
{
    for (; *path != '\0'; path++) {
        switch (*path) {
        case '\\':
        case '"':
        case '<':
        case '>':
        case '^':
        case '`':
        case '{':
        case '|':
        case '}':
            return true;
        default:
            break;
        }
    }
    return false;
}

/* The byte at *TEXT, decoded, and steps over it. False: a percent sign without two digits. */
static bool next_byte(const char **text, char *out)
{
    uint8_t byte;

    *out = **text;
    if (*out != '%') {
        *text += 1;
        return true;
    }
    if (!text_from_hex(*text + 1, &byte, 1))
        return false;
    *out = (char)byte;
    *text += 3;
    return true;
}

static const char *escape_refusal(const char *path)
{
    char byte;

    while (*path != '\0') {
        if (!next_byte(&path, &byte))
            return "a percent sign in the path without two hexadecimal digits";
        if (text_has_control(&byte, 1))
            return "a control character in the path";
    }
    return NULL;
}

/* A slash, or what some servers take for one. */
static bool is_slash(char byte)
{
    return byte == '/' || byte == '\\';
}

/* Is "." or ".." between two slashes of the decoded path? */
static bool has_dot_segment(const char *path)
{
    size_t len = 0, dots = 0; /* of the segment so far */
    char byte;

    while (*path != '\0' && next_byte(&path, &byte)) {
        if (!is_slash(byte)) {
            len++;
            dots += byte == '.';
            continue;
        }
        if (len == dots && (len == 1 || len == 2))
            return true;
        len = dots = 0;
    }
    return len == dots && (len == 1 || len == 2);
}

const char *http_path_refusal(const char *path, bool escapes)
{
    const char *why = NULL;

    if (path[0] != '/')
        return "a target that is no path";
    if (strchr(path, '%') != NULL)
        why = escapes ? escape_refusal(path) : "an escape in the path";
    if (why != NULL)
        return why;
    if (text_has_control(path, strlen(path))) /* the parser lets none through; nor do we */
        return "a control character in the path";
    if (has_raw_byte(path))
        return "a byte in the path that has to be percent-encoded";
    if (strstr(path, "//") != NULL)
        return "an empty segment in the path";
    return has_dot_segment(path) ? "a dot segment in the path" : NULL;
}

size_t http_segment_decode(const char *segment, size_t len, char *out)
{
    const char *at = segment, *end = segment + len;
    size_t n = 0;

    while (at < end && next_byte(&at, &out[n]))
        n++;
    out[n] = '\0';
    return n;
}
