#include "comet/session/goim_keys.h"
#include "comet/base/worker.h"
#include "comet/net/conn.h"
#include "comet/net/goim_client.h"
#include "common/containers/map.h"

#include <assert.h>
#include <string.h>

/* The map keeps no copy of the key: it has that of the session which it gives. */
static void keys_set(struct worker *worker, struct conn *conn)
{
    const char *key = conn->goim->key;

    strmap_del(worker->goim_keys, key, strlen(key));
    strmap_set(worker->goim_keys, key, strlen(key), conn);
}

void goim_keys_add(struct conn *conn)
{
    struct worker *worker = conn->worker;

    loop_assert_owner(&worker->loop);
    if (worker->goim_keys == NULL)
        worker->goim_keys = strmap_new();
    struct conn *before = goim_keys_find(worker, conn->goim->key);
    conn->goim->key_next = before;
    conn->goim->key_prev = NULL;
    if (before != NULL)
        before->goim->key_prev = conn;
    keys_set(worker, conn);
}

void goim_keys_remove(struct conn *conn)
{
    struct worker *worker = conn->worker;
    struct conn *next = conn->goim->key_next, *prev = conn->goim->key_prev;

    loop_assert_owner(&worker->loop);
    if (next != NULL)
        next->goim->key_prev = prev;
    if (prev != NULL)
        prev->goim->key_next = next;
    else if (next != NULL)
        keys_set(worker, next);
    else
        strmap_del(worker->goim_keys, conn->goim->key, strlen(conn->goim->key));
}

struct conn *goim_keys_find(const struct worker *worker, const char *key)
{
    loop_assert_owner(&worker->loop);
    return worker->goim_keys == NULL ? NULL : strmap_get(worker->goim_keys, key, strlen(key));
}

void goim_keys_close(struct worker *worker)
{
    loop_assert_owner(&worker->loop);
    assert(worker->goim_keys == NULL || strmap_count(worker->goim_keys) == 0);
    strmap_free(worker->goim_keys);
    worker->goim_keys = NULL;
}
