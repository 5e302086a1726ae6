#include "comet/net/goim_client.h"
#include "common/base/mem.h"
#include "common/protocol/goim_key.h"
#include "common/protocol/op_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct goim_client *goim_client_new(const char *key)
{
    struct goim_client *client = mem_zalloc(sizeof *client);

    client->key = mem_strdup(key);
    client->all = true;
    return client;
}

void goim_client_free(struct goim_client *client)
{
    if (client == NULL)
        return;
    free(client->key);
    free(client->platform);
    free(client->ops);
    free(client);
}

/* Where OP is in the list, or would have to be put. */
static uint32_t ops_place(const struct goim_client *client, int32_t op)
{
    uint32_t low = 0, high = client->n_ops;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (client->ops[middle] < op)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool ops_have(const struct goim_client *client, uint32_t place, int32_t op)
{
    return place < client->n_ops && client->ops[place] == op;
}

const char *goim_client_device(const struct goim_client *client)
{
    return client == NULL || goim_key_is_made(client->key, NULL) ? NULL : client->key;
}

bool goim_client_chooses(const struct goim_client *client, int32_t op)
{
    return ops_have(client, ops_place(client, op), op) != client->all;
}

static int ops_add(struct goim_client *client, int32_t op)
{
    uint32_t place = ops_place(client, op);

    if (ops_have(client, place, op))
        return 0;
    if (client->n_ops == GOIM_CLIENT_OPS_MAX)
        return -E2BIG;
    client->ops = mem_realloc(client->ops, (client->n_ops + 1) * sizeof *client->ops);
    memmove(client->ops + place + 1, client->ops + place,
            (client->n_ops - place) * sizeof *client->ops);
    client->ops[place] = op;
    client->n_ops++;
    return 0;
}

static int ops_remove(struct goim_client *client, int32_t op)
{
    uint32_t place = ops_place(client, op);

    if (!ops_have(client, place, op))
        return 0;
    client->n_ops--;
    memmove(client->ops + place, client->ops + place + 1,
            (client->n_ops - place) * sizeof *client->ops);
    return 0;
}

void goim_client_accept_only(struct goim_client *client, const int32_t *ops, size_t n)
{
    client->all = false;
    client->n_ops = 0;
    for (size_t i = 0; i < n; i++)
        (void)ops_add(client, ops[i]);
}

/* --- lists as text --- */

/* Calls CHANGE for each number. */
static int list_each(struct goim_client *client, const uint8_t *list, size_t len,
                     int (*change)(struct goim_client *client, int32_t op))
{
    int32_t op;
    int err = 0;

    for (size_t at = 0; at < len;) {
        if (op_list_next(list, len, &at, &op) != 0)
            return -EBADMSG;
    }
    for (size_t at = 0; err == 0 && at < len;) {
        (void)op_list_next(list, len, &at, &op);
        err = change(client, op);
    }
    return err;
}

int goim_client_subscribe(struct goim_client *client, const uint8_t *list, size_t len)
{
    return list_each(client, list, len, client->all ? ops_remove : ops_add);
}

int goim_client_unsubscribe(struct goim_client *client, const uint8_t *list, size_t len)
{
    return list_each(client, list, len, client->all ? ops_add : ops_remove);
}
