/* replies.h - reads what the business answers to a post of upstream events: replies to clients.
 * Main loop only.
 *
 *   {"replies":[{"id":"1.18c0ffee.1.17","reply":{"any":"JSON"}},{"id":…,"reply_base64":"AP8="}]}
 *
 * `id` is the event's. A reply that is a string becomes its text, and any other value its JSON as
 * it stands there. Further members are ignored, and what names no event of the post, too. */
#ifndef IMC_LOGIC_UPSTREAM_REPLIES_H
#define IMC_LOGIC_UPSTREAM_REPLIES_H

#include <stddef.h>
#include <stdint.h>

enum {
    REPLIES_MOST = 1000, /* events of a post: the limit of upstream.url_batch */
    REPLIES_ID_MAX = 128,
    REPLIES_WHY_MAX = 128,
};

struct reply {
    char *id; /* of ID_LEN bytes, decoded */
    size_t id_len;
    const uint8_t *body;
    size_t len;
};

struct replies {
    size_t n, next; /* next: where replies_find() begins */
    struct reply *list;
    char *memory; /* of what was decoded */
};

/* Reads BODY, which has to outlive *REPLIES. They are to be freed in any case. An empty body, or
 * one without replies, has none. 0; or -EBADMSG: WHY, REPLIES_WHY_MAX bytes, says what is wrong,
 * and there are none. It does not repeat what came. */
int replies_read(const void *body, size_t len, struct replies *replies, char *why);
/* The reply to the event ID; NULL: none. Fast if asked in the order of the list. */
const struct reply *replies_find(struct replies *replies, const char *id);
void replies_free(struct replies *replies);

#endif
