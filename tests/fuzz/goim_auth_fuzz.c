/* The auth body of a goim client, and its lists of operations: what is taken stays within the
 * limits, what is refused says why, and a list changes all that it names, or nothing. */
#include "comet/net/goim_client.h"
#include "common/protocol/goim_auth.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct goim_auth auth;

static void check_auth(const uint8_t *data, size_t size)
{
    char why[160] = "";

    if (goim_auth_parse(data, size, &auth, why, sizeof why) != 0) {
        assert(strncmp(why, "auth: ", 6) == 0 && strlen(why) < sizeof why);
        return;
    }
    assert(auth.mid >= 0 && auth.n_accepts <= GOIM_AUTH_ACCEPTS_MAX);
    assert(auth.has_accepts || auth.n_accepts == 0);
    assert(strlen(auth.key) <= GOIM_AUTH_KEY_MAX && strlen(auth.room) <= GOIM_AUTH_ROOM_MAX);
    assert(strlen(auth.token) <= GOIM_AUTH_TOKEN_MAX);
    goim_auth_free(&auth);
}

static void check_list(const uint8_t *data, size_t size)
{
    struct goim_client *client = goim_client_new("");

    goim_client_accept_only(client, NULL, 0);
    int err = goim_client_subscribe(client, data, size);
    assert(client->n_ops <= GOIM_CLIENT_OPS_MAX && (err != -EBADMSG || client->n_ops == 0));
    for (uint32_t i = 0; i < client->n_ops; i++) {
        assert(goim_client_accepts(client, client->ops[i]));
        assert(i == 0 || client->ops[i - 1] < client->ops[i]);
    }
    if (err == 0) {
        assert(goim_client_unsubscribe(client, data, size) == 0);
        assert(client->n_ops == 0);
    }
    goim_client_free(client);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_auth(data, size);
    check_list(data, size);
    return 0;
}
