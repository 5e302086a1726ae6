/* session_text.h - how the HTTP API and traces name a session: "00000a0100000007.comet-1", its
 * handle and its comet. Pure; any thread. */
#ifndef IMC_COMMON_PROTOCOL_SESSION_TEXT_H
#define IMC_COMMON_PROTOCOL_SESSION_TEXT_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    SESSION_TEXT_DIGITS = 16,
    SESSION_TEXT_COMET = 63, /* bytes of a comet's name: struct member's limit */
    SESSION_TEXT_MAX = SESSION_TEXT_DIGITS + 1 + SESSION_TEXT_COMET + 1,
};

/* COMET is cut if it is longer than names of comets are. */
static inline void session_text_write(uint64_t handle, const char *comet,
                                      char out[SESSION_TEXT_MAX])
{
    (void)snprintf(out, SESSION_TEXT_MAX, "%016" PRIx64 ".%.*s", handle, SESSION_TEXT_COMET, comet);
}

/* *COMET is within TEXT. False: TEXT is no such name. */
static inline bool session_text_read(const char *text, uint64_t *handle, const char **comet)
{
    char *dot;

    *handle = strtoull(text, &dot, 16);
    *comet = dot + 1;
    return dot == text + SESSION_TEXT_DIGITS && *dot == '.' && *handle != 0;
}

#endif
