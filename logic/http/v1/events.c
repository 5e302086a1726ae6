/* GET /v1/events: the events of sessions, rooms and messages, as they come; see events.h. */
#include "logic/http/v1/events.h"
#include "common/base/mem.h"
#include "common/events/event_types.h"
#include "logic/feed/feed.h"
#include "logic/http/v1/call.h"
#include "logic/http/v1/session_print.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_MS = 100, LIMIT = 100 };

struct follower {
    TAILQ_ENTRY(follower) link;
    struct v1_call *call;
    struct feed_filter filter;
    struct feed_place place;
    bool placed, gap; /* PLACED: PLACE is set; until then what is recent is wanted */
    bool is_new;      /* only what comes from now on is wanted */
    size_t limit;
    uint64_t until_ms; /* loop time */
};

struct followers {
    struct logic *logic;
    uv_timer_t timer;
    size_t n;
    TAILQ_HEAD(, follower) list;
};

/* --- a call --- */

/* Reads a number that ends with END, and moves behind that. */
static bool number_read(const char **text, int base, char end, uint64_t *out)
{
    char *after;

    *out = strtoull(*text, &after, base);
    if (after == *text || *after != end)
        return false;
    *text = after + 1;
    return true;
}

/* "1f2e3d4c5b6a7988.17.1764000000000"; "recent" and "new": not known yet. */
static bool place_read(const char *text, struct follower *follower)
{
    struct feed_place *place = &follower->place;

    follower->is_new = strcmp(text, "new") == 0;
    if (follower->is_new || strcmp(text, "recent") == 0)
        return true;
    follower->placed = strspn(text, "0123456789abcdef.") == strlen(text) &&
                       number_read(&text, 16, '.', &place->life) &&
                       number_read(&text, 10, '.', &place->number) &&
                       number_read(&text, 10, '\0', &place->ms);
    return follower->placed;
}

static void print_next(FILE *out, const struct follower *follower)
{
    if (follower->placed)
        fprintf(out, "\"%016" PRIx64 ".%" PRIu64 ".%" PRIu64 "\"", follower->place.life,
                follower->place.number, follower->place.ms);
    else
        (void)fputs("\"recent\"", out);
}

static void answer(struct follower *follower)
{
    struct v1_call *call = follower->call;
    struct feed *feed = call->logic->feed;
    FILE *out = v1_begin(call);
    char why[FEED_WHY_MAX];

    (void)fputs("],\"next\":", out);
    print_next(out, follower);
    fprintf(out, ",\"gap\":%s", follower->gap ? "true" : "false");
    feed_why(feed, why);
    v1_print_name(out, "why", why);
    fputc('}', out);
    v1_end(call, 200, NULL);
    free(follower);
}

/* Writes events that are there for FOLLOWER. False: none is, and that is worth waiting for; what is
 * recent is known at once, be it nothing. */
static bool look(struct follower *follower)
{
    struct v1_call *call = follower->call;
    struct feed *feed = call->logic->feed;

    if (!feed_is_ready(feed))
        return false;
    bool asks_recent = !follower->placed;
    if (!follower->placed)
        follower->place = feed_newest(feed, &follower->filter, follower->limit);
    follower->placed = true;
    return feed_print(feed, &follower->filter, follower->limit, &follower->place, &follower->gap,
                      v1_begin(call)) > 0 ||
           asks_recent;
}

static struct follower *follower_new(struct v1_call *call)
{
    struct follower *follower = mem_zalloc(sizeof *follower);
    const struct schema_value *uid = v1_query(call, "uid"), *limit = v1_query(call, "limit");
    const struct schema_value *wait = v1_query(call, "wait");
    uint64_t wait_ms = wait != NULL ? (uint64_t)wait->number * 1000 : 0;

    follower->call = call;
    follower->limit = limit != NULL ? (size_t)limit->number : LIMIT;
    follower->until_ms = loop_now_ms(call->logic->loop) + wait_ms;
    follower->filter.has_uid = uid != NULL;
    follower->filter.uid = uid != NULL ? uid->number : 0;
    return follower;
}

/* Reads what is no number. False: CALL is answered. */
static bool read_texts(struct v1_call *call, struct follower *follower)
{
    const struct schema_value *types = v1_query(call, "types"), *after = v1_query(call, "after");
    struct schema_errors errors = {0};
    char err[256];

    if (types != NULL && event_types_read(types->text, &follower->filter.types, err, sizeof err))
        schema_error_add(&errors, SCHEMA_IN_QUERY, "types", "a list of " EVENT_TYPES_TEXT);
    if (after != NULL && !place_read(after->text, follower))
        schema_error_add(&errors, SCHEMA_IN_QUERY, "after",
                         "must be `next` of an answer, recent or new");
    if (errors.n > 0)
        v1_refuse_errors(call, &errors);
    return errors.n == 0;
}

/* --- those that wait --- */

static void remove_follower(struct followers *followers, struct follower *follower)
{
    TAILQ_REMOVE(&followers->list, follower, link);
    followers->n--;
    metric_set(followers->logic->counters, LOGIC_EVENTS_FOLLOWERS, (int64_t)followers->n);
}

/* Its client has gone, or it is over for another reason, or there is something for it. */
static bool is_over(struct follower *follower, uint64_t now_ms)
{
    const struct v1_call *call = follower->call;

    return http_has_ended(call->request) || call->logic->draining || now_ms >= follower->until_ms ||
           look(follower);
}

static void on_look(uv_timer_t *timer)
{
    struct followers *followers = container_of(timer, struct followers, timer);
    struct logic *logic = followers->logic;
    struct follower *follower, *next;

    if (followers->n > 0)
        feed_ask(logic->feed);
    else
        uv_timer_stop(timer);
    for (follower = TAILQ_FIRST(&followers->list); follower != NULL; follower = next) {
        next = TAILQ_NEXT(follower, link);
        if (!is_over(follower, loop_now_ms(logic->loop)))
            continue;
        remove_follower(followers, follower);
        answer(follower);
    }
}

static struct followers *followers_of(struct logic *logic)
{
    struct followers *followers = logic->followers;

    if (followers != NULL)
        return followers;
    followers = mem_zalloc(sizeof *followers);
    followers->logic = logic;
    TAILQ_INIT(&followers->list);
    uv_timer_init(&logic->loop->uv, &followers->timer);
    logic->followers = followers;
    return followers;
}

static void wait(struct follower *follower)
{
    struct logic *logic = follower->call->logic;
    struct followers *followers = followers_of(logic);

    TAILQ_INSERT_TAIL(&followers->list, follower, link);
    followers->n++;
    metric_set(logic->counters, LOGIC_EVENTS_FOLLOWERS, (int64_t)followers->n);
    if (followers->n == 1)
        uv_timer_start(&followers->timer, on_look, LOOK_MS, LOOK_MS);
}

static void on_closed(uv_handle_t *handle)
{
    free(container_of((uv_timer_t *)handle, struct followers, timer));
}

void v1_followers_close(struct logic *logic)
{
    struct followers *followers = logic->followers;
    struct follower *follower, *next;

    if (followers == NULL)
        return;
    for (follower = TAILQ_FIRST(&followers->list); follower != NULL; follower = next) {
        next = TAILQ_NEXT(follower, link);
        remove_follower(followers, follower);
        answer(follower);
    }
    logic->followers = NULL;
    uv_close((uv_handle_t *)&followers->timer, on_closed);
}

/* --- the call --- */

static bool may_wait(struct logic *logic)
{
    return followers_of(logic)->n < (size_t)logic->config->events_followers;
}

void v1_events(struct v1_call *call)
{
    struct logic *logic = call->logic;

    if (feed_topic(logic->feed)[0] == '\0') {
        v1_nothing_found(call, "this logic does not know where events are: set events.topic, as "
                               "the jobs have it");
        return;
    }
    struct follower *follower = follower_new(call);
    if (!read_texts(call, follower)) {
        free(follower);
        return;
    }
    feed_ask(logic->feed);
    if (follower->is_new) {
        follower->place = feed_now(logic->feed);
        follower->placed = true;
    }
    fputs("{\"events\":[", v1_begin(call));
    if (look(follower) || follower->until_ms <= loop_now_ms(logic->loop)) {
        answer(follower);
    } else if (may_wait(logic)) {
        wait(follower);
    } else {
        free(follower);
        v1_refuse(call, &(struct api_refusal){API_UNAVAILABLE, LOGIC_REFUSED_FOLLOWERS, 5,
                                              "too many calls wait for events (events.followers)"});
    }
}
