#include "bench/load/tokens.h"

#include "bench/base/clock.h"
#include "bench/load/http_lanes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LANES = 32, TARGET_MAX = 256, HTTP_OK = 200, TRIES_IN_VAIN = 20 };

struct token_maker {
    const struct tokens_order *order;
    struct worker_stats *stats;
    struct http_lanes *client;
    size_t answered, failed;
    char why[160];
};

static void on_answer(void *arg, size_t lane, int status, const char *body, size_t len)
{
    struct token_maker *maker = arg;

    (void)lane;
    maker->answered++;
    if (status == HTTP_OK && len >= 8 && memmem(body, len, "\"ret\":1", 7) != NULL) {
        shared_add(&maker->stats->tokens, 1);
        return;
    }
    shared_add(&maker->stats->token_failures, 1);
    if (maker->failed++ == 0)
        snprintf(maker->why, sizeof maker->why, "a token was refused (HTTP %d): %.*s", status,
                 len < 100 ? (int)len : 100, body);
}

static int ask(struct token_maker *maker, size_t lane, size_t i)
{
    char token[PEOPLE_NAME_MAX], room[PEOPLE_NAME_MAX], target[TARGET_MAX];
    const struct people *people = maker->order->people;
    int n;

    people_token(people, i, token);
    people_room_of(people, i, room);
    n = snprintf(target, sizeof target, "/1/admin/token/new?uid=%" PRIu64 "&token=%s&expire=86400",
                 people->uid_base + i, token);
    if (room[0] != '\0')
        snprintf(target + n, sizeof target - (size_t)n, "&room=%s", room);
    return http_lanes_post(maker->client, lane, target, "", 0);
}

static int ask_all(struct token_maker *maker)
{
    size_t asked = 0, in_vain = 0, n = maker->order->n;

    while (maker->answered < n && maker->failed == 0 && in_vain < TRIES_IN_VAIN) {
        size_t before = maker->answered;
        for (size_t lane = 0; lane < LANES && asked < n; lane++)
            if (http_lanes_idle(maker->client, lane) &&
                ask(maker, lane, maker->order->first + asked) == 0)
                asked++;
        http_lanes_poll(maker->client, CLOCK_SECOND);
        in_vain = maker->answered > before ? 0 : in_vain + 1;
    }
    return maker->answered == n && maker->failed == 0 ? 0 : -EIO;
}

int tokens_make(const struct tokens_order *order, struct worker_stats *stats, char *err,
                size_t errlen)
{
    struct token_maker maker = {.order = order, .stats = stats};
    const struct http_lanes_options options = {
        .address = order->http,
        .key = order->key,
        .lanes = LANES,
        .answer = on_answer,
        .arg = &maker,
    };
    int failed = http_lanes_open(&options, &maker.client, err, errlen);

    if (failed != 0)
        return failed;
    failed = ask_all(&maker);
    if (failed != 0)
        snprintf(err, errlen, "%s",
                 maker.why[0] != '\0' ? maker.why : "tokens: the HTTP API does not answer");
    http_lanes_close(maker.client);
    return failed;
}
