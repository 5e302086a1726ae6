/* path.h - the path of a request: what it may not have, and the escapes in its segments. Pure; any
 * thread.
 *
 * A proxy in front of us may decode a path before it applies its rules, or not, and may split it at
 * other places than we do. So escapes are taken only where a call expects a name: in a segment of
 * its own (RFC 3986 3.3). The path is split at its slashes first, and each segment is decoded then,
 * once: "%2F" is a byte of the name. */
#ifndef IMC_COMMON_HTTP_PATH_H
#define IMC_COMMON_HTTP_PATH_H

#include <stdbool.h>
#include <stddef.h>

/* Why a request with PATH is refused: what is in it that some servers change or split at, and
 * others do not; NULL: nothing. Without ESCAPES there may be none ("%41"). With them, none may
 * stand for a control character, and no segment may have, decoded, dots between its slashes:
 * "..%2Fpush" is another path to a proxy that decodes it. */
const char *http_path_refusal(const char *path, bool escapes);
/* Decodes the LEN bytes of SEGMENT, of a path that was not refused. OUT has room for LEN + 1.
 * Returns the length; a NUL follows. */
size_t http_segment_decode(const char *segment, size_t len, char *out);

#endif
