/* goim_client.h - what a connection knows of a goim v2 client, beside what it knows of any client:
 * the device's key, and the operations it accepts. Owner loop only.
 *
 * A client that named operations at auth accepts those; one that named none accepts all. It adds
 * and removes operations while it is connected (14, 16). So a list of operations is enough: those
 * that are accepted, or, where all were, those that are not. */
#ifndef IMC_COMET_NET_GOIM_CLIENT_H
#define IMC_COMET_NET_GOIM_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GOIM_CLIENT_OPS_MAX = 256 };

struct conn;
struct acks;

struct goim_client {
    struct conn *key_next, *key_prev; /* session/goim_keys.h: others with the same key */
    struct acks *acks;                /* session/acks.h; NULL: it acknowledges nothing */
    char *key;
    char *platform; /* as the client says; NULL: it does not */
    bool all;       /* it accepts what is not in `ops`; false: what is */
    uint32_t n_ops; /* at most GOIM_CLIENT_OPS_MAX */
    int32_t *ops;   /* ascending, each once; NULL if there is none */
};

/* KEY is copied. The client accepts every operation, until goim_client_accept_only(). */
struct goim_client *goim_client_new(const char *key);
void goim_client_free(struct goim_client *client); /* NULL is fine */
/* OPS beyond GOIM_CLIENT_OPS_MAX are left out. */
void goim_client_accept_only(struct goim_client *client, const int32_t *ops, size_t n);
/* The client's key, by which logic knows what the device is owed. NULL: CLIENT is NULL, or its key
 * was made up for this connection. */
const char *goim_client_device(const struct goim_client *client);
bool goim_client_chooses(const struct goim_client *client, int32_t op);
/* CLIENT NULL is imgo's, which accepts every operation. */
static inline bool goim_client_accepts(const struct goim_client *client, int32_t op)
{
    return client == NULL || goim_client_chooses(client, op);
}

/* From now on the client accepts the operations of LIST, or no longer. LIST is text: numbers
 * separated by commas. 0; -EBADMSG: it is not such a list, and nothing has changed, as in goim;
 * -E2BIG: `ops` would grow beyond GOIM_CLIENT_OPS_MAX, and a part has changed. */
int goim_client_subscribe(struct goim_client *client, const uint8_t *list, size_t len);
int goim_client_unsubscribe(struct goim_client *client, const uint8_t *list, size_t len);

#endif
