#include "comet/job/room_grants.h"
#include "comet/base/metrics.h"
#include "comet/base/worker.h"
#include "comet/job/announced_rooms.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/protocol/room_news.h"
#include "common/protocol/unpack.h"
#include "common/rpc/rpc.h"

#include <assert.h>
#include <stdlib.h>

/* A job that has asked, or did so before its stream ended. */
struct grant_stream {
    STAILQ_ENTRY(grant_stream) link;
    struct rpc_stream *stream; /* a reference; NULL: it has ended */
    struct announced_reader reader;
    bool begins;        /* the next news are all rooms */
    uint64_t number;    /* of the last news */
    uint64_t unapplied; /* number of the news that the job has not applied yet; 0: none */
    uint64_t upto;      /* rooms up to this serial are in news that it has applied */
    uint64_t next_upto; /* once it has applied `unapplied` */
    int64_t sent_us;    /* `unapplied` was sent */
    uint64_t question;  /* to be answered with a grant; 0: none */
    int64_t until_us;   /* our end of its grant */
    int64_t slow_until_us;
};

STAILQ_HEAD(grant_streams, grant_stream);

/* What a loop waits for: all its posts up to NUMBER, for rooms up to SERIAL. */
struct grant_wait {
    STAILQ_ENTRY(grant_wait) next;
    uint64_t number, serial;
};

struct grant_loop {
    struct worker *worker;
    STAILQ_HEAD(, grant_wait) waits; /* both numbers rise */
    uint64_t serial;                 /* of the last */
};

struct room_grants {
    _Atomic uint32_t refs; /* the owner, and what is posted to the main loop */
    struct loop *main;
    _Atomic int64_t *counters;
    bool closed;
    struct announced_rooms rooms;
    struct grant_streams streams;
    size_t n_streams;
    int n_loops;
    struct grant_loop loops[];
};

static void grants_unref(struct room_grants *grants)
{
    if (atomic_fetch_sub_explicit(&grants->refs, 1, memory_order_acq_rel) == 1)
        free(grants);
}

static bool grant_is_live(const struct grant_stream *s, int64_t now_us)
{
    return s->until_us > now_us;
}

/* --- releasing what all jobs know --- */

struct release_post {
    struct inbox_item item;
    struct worker *worker;
    uint64_t number;
    bool outwaited;
};

static void release_arrived(struct loop *loop, struct inbox_item *item)
{
    struct release_post *post = container_of(item, struct release_post, item);

    (void)loop;
    room_claims_release(post->worker, post->number, post->outwaited);
    free(post);
}

static void loop_release(struct grant_loop *loop, uint64_t serial, bool outwaited)
{
    struct grant_wait *wait;
    uint64_t number = 0;

    while ((wait = STAILQ_FIRST(&loop->waits)) != NULL && wait->serial <= serial) {
        STAILQ_REMOVE_HEAD(&loop->waits, next);
        number = wait->number;
        free(wait);
    }
    if (number == 0)
        return;
    struct release_post *post = mem_alloc(sizeof *post);
    *post = (struct release_post){.item.run = release_arrived,
                                  .worker = loop->worker,
                                  .number = number,
                                  .outwaited = outwaited};
    if (!inbox_post(&loop->worker->loop, &post->item))
        free(post);
}

static void grants_release(struct room_grants *grants, bool outwaited)
{
    const struct grant_stream *s;
    int64_t now_us = time_boot_us();
    uint64_t known = grants->rooms.serial;

    STAILQ_FOREACH(s, &grants->streams, link) {
        if (grant_is_live(s, now_us) && s->upto < known)
            known = s->upto;
    }
    for (int i = 0; i < grants->n_loops; i++)
        loop_release(&grants->loops[i], known, outwaited);
}

/* --- news --- */

static void news_send(struct grant_stream *s, Imc__V1__RoomNews *news)
{
    Imc__V1__PushReply reply;

    imc__v1__push_reply__init(&reply);
    news->number = ++s->number;
    news->all = s->begins;
    reply.rooms = news;
    s->begins = false;
    rpc_stream_send(s->stream, msg_pack(&reply.base));
}

/* The grant begins for us before the job can know of it. */
static void stream_grant(struct grant_stream *s, int64_t now_us, Imc__V1__RoomNews *news)
{
    news->grant = s->question;
    s->question = 0;
    s->until_us = now_us + (int64_t)ROOM_GRANT_OVER_MS * 1000;
}

/* Sends what there is to be told, if the job wants to know, and has applied what it was sent. A
 * room that was left and entered again must not be told in the other order. */
static void stream_tell(struct room_grants *grants, struct grant_stream *s)
{
    static uint64_t left[ROOM_NEWS_MAX], entered[ROOM_NEWS_MAX];
    int64_t now_us = time_boot_us();
    Imc__V1__RoomNews news;

    if (s->stream == NULL || s->unapplied != 0 || s->slow_until_us > now_us ||
        (s->question == 0 && !grant_is_live(s, now_us)))
        return;
    imc__v1__room_news__init(&news);
    news.left = left;
    news.entered = entered;
    news.n_left = announced_reader_take_left(&s->reader, left, ROOM_NEWS_MAX);
    if (s->reader.n_left == 0)
        news.n_entered = announced_reader_take(&s->reader, entered, ROOM_NEWS_MAX);
    if (news.n_left > 0 || news.n_entered > 0 || s->begins) {
        s->unapplied = s->number + 1;
        s->next_upto = announced_reader_upto(&grants->rooms, &s->reader);
        s->sent_us = now_us;
    } else {
        s->upto = grants->rooms.serial;
    }
    if (s->question != 0 && announced_reader_is_done(&s->reader))
        stream_grant(s, now_us, &news);
    if (s->unapplied != 0 || news.grant != 0)
        news_send(s, &news);
}

static void grants_tell(struct room_grants *grants)
{
    struct grant_stream *s;

    STAILQ_FOREACH(s, &grants->streams, link)
        stream_tell(grants, s);
}

/* --- what the loops claim --- */

static void claims_take(struct room_grants *grants, const struct claims_post *post)
{
    struct grant_loop *from = &grants->loops[post->worker->loop.index];
    struct grant_wait *wait = mem_alloc(sizeof *wait);

    for (size_t i = 0; i < post->n; i++) {
        if (post->changes[i].dropped) {
            announced_rooms_remove(&grants->rooms, post->changes[i].room);
            continue;
        }
        uint64_t serial = announced_rooms_add(&grants->rooms, post->changes[i].room);
        from->serial = serial > from->serial ? serial : from->serial;
    }
    from->worker = post->worker;
    *wait = (struct grant_wait){.number = post->number, .serial = from->serial};
    STAILQ_INSERT_TAIL(&from->waits, wait, next);
    grants_tell(grants);
    grants_release(grants, false);
}

static void claims_arrived(struct loop *loop, struct inbox_item *item)
{
    struct claims_post *post = container_of(item, struct claims_post, item);
    struct room_grants *grants = post->to;

    loop_assert_owner(loop);
    if (!grants->closed)
        claims_take(grants, post);
    free(post);
    grants_unref(grants);
}

void room_grants_claim(struct room_grants *grants, struct claims_post *post)
{
    post->item.run = claims_arrived;
    post->to = grants;
    atomic_fetch_add_explicit(&grants->refs, 1, memory_order_relaxed);
    if (inbox_post(grants->main, &post->item))
        return;
    free(post);
    grants_unref(grants);
}

/* --- what jobs ask --- */

static struct grant_stream *stream_find(const struct room_grants *grants,
                                        const struct rpc_stream *stream)
{
    struct grant_stream *s;

    STAILQ_FOREACH(s, &grants->streams, link) {
        if (s->stream == stream)
            return s;
    }
    return NULL;
}

/* NULL: too many ask. */
static struct grant_stream *stream_of(struct room_grants *grants, struct rpc_stream *stream)
{
    struct grant_stream *s = stream_find(grants, stream);

    if (s != NULL)
        return s;
    if (grants->n_streams == GRANT_STREAMS_MAX) {
        metric_add(grants->counters, COMET_ROOM_GRANTS_REFUSED, 1);
        return NULL;
    }
    s = mem_zalloc(sizeof *s);
    s->stream = rpc_stream_ref(stream);
    s->begins = true;
    announced_reader_open(&grants->rooms, &s->reader);
    STAILQ_INSERT_TAIL(&grants->streams, s, link);
    grants->n_streams++;
    return s;
}

static void stream_applied(struct room_grants *grants, struct grant_stream *s, uint64_t number)
{
    int64_t now_us = time_boot_us();

    if (s->unapplied == 0 || number != s->unapplied)
        return;
    s->unapplied = 0;
    s->upto = s->next_upto;
    if (now_us - s->sent_us < (int64_t)ROOM_GRANT_MS * 1000)
        return;
    s->slow_until_us = now_us + (int64_t)GRANT_SLOW_MS * 1000;
    metric_add(grants->counters, COMET_ROOM_GRANTS_REFUSED, 1);
    log_warn("job gets no grant to leave out rooms",
             "peer=%s why=\"it took %lld ms to apply news\"", rpc_stream_peer(s->stream),
             (long long)((now_us - s->sent_us) / 1000));
}

/* The job has forgotten what it knew, so its last grant is of no use to it any more. But news that
 * are on their way may still make it filter: what it was told counts until the grant is over. */
static void stream_restart(struct room_grants *grants, struct grant_stream *s)
{
    s->begins = true;
    s->unapplied = 0;
    s->upto = 0;
    announced_reader_restart(&grants->rooms, &s->reader);
}

struct question_post {
    struct inbox_item item;
    struct room_grants *grants;
    struct rpc_stream *stream; /* a reference */
    bool ended, anew, gives_up;
    uint64_t asked, applied;
};

static void question_take(struct room_grants *grants, const struct question_post *post)
{
    struct grant_stream *s = stream_of(grants, post->stream);

    if (s == NULL)
        return;
    if (post->gives_up) {
        s->question = 0;
        s->until_us = 0;
    }
    if (post->anew && !s->begins)
        stream_restart(grants, s);
    else
        stream_applied(grants, s, post->applied);
    if (post->asked != 0)
        s->question = post->asked;
    stream_tell(grants, s);
    grants_release(grants, false);
}

/* S is in no list any more. */
static void stream_free(struct room_grants *grants, struct grant_stream *s)
{
    announced_reader_close(&s->reader);
    if (s->stream != NULL)
        rpc_stream_unref(s->stream);
    grants->n_streams--;
    free(s);
}

/* The job may not know yet that its stream has ended, so its grant goes on. */
static void stream_end(struct grant_stream *s)
{
    rpc_stream_unref(s->stream);
    s->stream = NULL;
}

static void question_arrived(struct loop *loop, struct inbox_item *item)
{
    struct question_post *post = container_of(item, struct question_post, item);
    struct room_grants *grants = post->grants;
    struct grant_stream *s = post->ended ? stream_find(grants, post->stream) : NULL;

    loop_assert_owner(loop);
    if (s != NULL)
        stream_end(s);
    else if (!post->ended && !grants->closed)
        question_take(grants, post);
    rpc_stream_unref(post->stream);
    grants_unref(grants);
    free(post);
}

static void question_post(struct room_grants *grants, const struct question_post *question)
{
    struct question_post *post = mem_alloc(sizeof *post);

    *post = *question;
    post->item.run = question_arrived;
    post->grants = grants;
    rpc_stream_ref(post->stream);
    atomic_fetch_add_explicit(&grants->refs, 1, memory_order_relaxed);
    if (inbox_post(grants->main, &post->item))
        return;
    rpc_stream_unref(post->stream);
    grants_unref(grants);
    free(post);
}

void room_grants_asked(struct room_grants *grants, struct rpc_stream *stream,
                       const Imc__V1__RoomsQuestion *question)
{
    question_post(grants, &(struct question_post){.stream = stream,
                                                  .anew = question->anew,
                                                  .gives_up = question->gives_up,
                                                  .asked = question->asked,
                                                  .applied = question->applied});
}

void room_grants_ended(struct room_grants *grants, struct rpc_stream *stream)
{
    question_post(grants, &(struct question_post){.stream = stream, .ended = true});
}

/* --- life --- */

void room_grants_look(struct room_grants *grants)
{
    int64_t now_us = time_boot_us(), live = 0;
    struct grant_streams all = STAILQ_HEAD_INITIALIZER(all);
    struct grant_stream *s;

    loop_assert_owner(grants->main);
    STAILQ_CONCAT(&all, &grants->streams);
    while ((s = STAILQ_TAKE(&all, link)) != NULL) {
        live += grant_is_live(s, now_us);
        if (s->stream == NULL && !grant_is_live(s, now_us))
            stream_free(grants, s);
        else
            STAILQ_INSERT_TAIL(&grants->streams, s, link);
    }
    grants_release(grants, true);
    metric_set(grants->counters, COMET_ROOM_GRANTS, live);
    metric_set(grants->counters, COMET_ROOMS_ANNOUNCED,
               (int64_t)announced_rooms_count(&grants->rooms));
}

struct room_grants *room_grants_open(struct loop *main, int n_loops, _Atomic int64_t *counters)
{
    struct room_grants *grants =
        mem_zalloc(sizeof *grants + (size_t)n_loops * sizeof grants->loops[0]);

    atomic_init(&grants->refs, 1);
    grants->main = main;
    grants->counters = counters;
    grants->n_loops = n_loops;
    STAILQ_INIT(&grants->streams);
    announced_rooms_open(&grants->rooms);
    for (int i = 0; i < n_loops; i++)
        STAILQ_INIT(&grants->loops[i].waits);
    return grants;
}

void room_grants_close(struct room_grants *grants)
{
    struct grant_stream *s;

    if (grants == NULL)
        return;
    loop_assert_owner(grants->main);
    grants->closed = true;
    while ((s = STAILQ_TAKE(&grants->streams, link)) != NULL)
        stream_free(grants, s);
    announced_rooms_close(&grants->rooms);
    for (int i = 0; i < grants->n_loops; i++) {
        struct grant_wait *wait;
        while ((wait = STAILQ_TAKE(&grants->loops[i].waits, next)) != NULL)
            free(wait);
    }
    grants_unref(grants);
}
