/* tls_fixture.h - both ends of a TLS connection in one process, and the bytes between them. */
#ifndef IMC_TESTS_UNIT_COMMON_TLS_TLS_FIXTURE_H
#define IMC_TESTS_UNIT_COMMON_TLS_TLS_FIXTURE_H

#include "common/tls/engine.h"
#include "common/tls/tls.h"
#include "tests/unit/lib/tls_files.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants these first */
#include <cmocka.h>

struct ends {
    struct tls_engine *server, *client;
};

static inline struct tls *fixture_open(const struct tls_settings *settings)
{
    char err[TLS_ERROR_MAX] = "";
    struct tls *tls = NULL;
    if (tls_open(settings, &tls, err, sizeof(err)) != 0)
        fail_msg("%s", err);
    return tls;
}

/* Hands on what FROM has for TO. True: there was something. */
static inline bool carry(struct tls_engine *from, struct tls_engine *to)
{
    const uint8_t *bytes;
    size_t n = tls_engine_output(from, &bytes);
    if (n == 0)
        return false;
    tls_engine_sent(from, tls_engine_feed(to, bytes, n));
    return true;
}

/* Until both ends have said all that they have to say, without data. */
static inline void shake(struct ends *ends)
{
    char none[1];
    bool more = true;
    while (more) {
        more = carry(ends->client, ends->server);
        assert_int_equal(tls_engine_read(ends->server, none, sizeof(none)), 0);
        more |= carry(ends->server, ends->client);
        assert_int_equal(tls_engine_read(ends->client, none, sizeof(none)), 0);
    }
}

static inline void ends_open(struct ends *ends, struct tls_server *server,
                             struct tls_client *client, const char *name,
                             struct tls_session *session)
{
    ends->server = tls_engine_accept(server);
    ends->client = tls_engine_connect(client, name, session);
    assert_non_null(ends->server);
    assert_non_null(ends->client);
    shake(ends);
}

static inline void ends_close(struct ends *ends)
{
    tls_engine_free(ends->server);
    tls_engine_free(ends->client);
    *ends = (struct ends){0};
}

#endif
