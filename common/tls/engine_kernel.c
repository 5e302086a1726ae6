/* What the engine itself has to say waits in `out`, not sealed: a byte for the type, one for the
 * length, and then the record. The kernel takes a record with its type, or nothing of it. */
#include "common/tls/engine_internal.h"
#include <assert.h>
#include <errno.h>

int engine_to_kernel(struct tls_engine *engine, int fd, const struct kernel_calls *calls)
{
    if (engine->records == NULL || records_most(engine->records) < RECORDS_PLAIN)
        return -EOPNOTSUPP;
    if (engine->kernel != NULL || engine->state != TLS_OPEN || engine->closed ||
        engine->out.len > 0)
        return -EBUSY;
    int rc = kernel_take_over(calls, fd, engine->records);
    if (rc == 0)
        engine->kernel = calls;
    return rc;
}

int tls_engine_to_kernel(struct tls_engine *engine, int fd)
{
    return engine_to_kernel(engine, fd, &kernel_calls);
}

bool tls_engine_in_kernel(const struct tls_engine *engine)
{
    return engine->kernel != NULL;
}

void engine_kernel_put(struct tls_engine *engine, enum records_type type, const void *bytes,
                       size_t len)
{
    const uint8_t head[2] = {(uint8_t)type, (uint8_t)len};
    assert(len <= UINT8_MAX);
    buffer_add(&engine->out, head, sizeof(head));
    buffer_add(&engine->out, bytes, len);
}

void tls_engine_kernel_sent(struct tls_engine *engine, size_t len)
{
    records_count_written(engine->records, (len + RECORDS_PLAIN - 1) / RECORDS_PLAIN);
    if (records_is_worn(engine->records) && engine->out.len == 0)
        (void)engine_records_update(engine); /* only notes it */
}

int tls_engine_kernel_flush(struct tls_engine *engine, int fd)
{
    assert(engine->kernel != NULL);
    while (engine->out.len > 0) {
        const uint8_t *waiting = engine->out.bytes + engine->out.at;
        enum records_type type = waiting[0];
        size_t len = waiting[1];
        int rc = kernel_send(engine->kernel, fd, type, waiting + 2, len);
        if (rc == -EINTR)
            continue;
        if (rc == -EAGAIN)
            return 1;
        if (rc < 0)
            return rc;
        records_count_written(engine->records, 1);
        buffer_drop(&engine->out, 2 + len);
        if (type == RECORDS_HANDSHAKE) /* a KeyUpdate: the next record has the next key */
            rc = kernel_next_key(engine->kernel, fd, engine->records);
        if (rc < 0)
            return rc;
    }
    return 0;
}
