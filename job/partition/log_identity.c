#include "job/partition/log_identity.h"

#include <stdbool.h>
#include <string.h>

static const struct log_anchor no_anchor = {.offset = -1};

void log_identity_init(struct log_identity *identity)
{
    *identity = (struct log_identity){
        .next = -1, .reread = INT64_MAX, .suspect = no_anchor, .sought = no_anchor};
    identity->expected = no_anchor;
    log_anchors_init(&identity->anchors);
}

void log_identity_expect(struct log_identity *identity, struct log_anchor anchor)
{
    if (identity->next < 0)
        identity->expected = anchor;
}

void log_identity_rewind(struct log_identity *identity, int64_t offset)
{
    identity->next = offset;
    identity->sought = identity->suspect = identity->expected = no_anchor;
    identity->untaken = false;
    identity->reread = INT64_MAX;
}

void log_identity_alarm(struct log_identity *identity)
{
    identity->looked_ms = 0;
    if (identity->suspect.offset < 0 && identity->next >= 0)
        identity->suspect = log_anchors_below(&identity->anchors, identity->next);
}

/* Does the first message, at OFFSET, have to wait until the anchor's message was read? If reading
 * begins below the anchor, nothing is skipped. */
static enum log_verdict check_first(struct log_identity *identity, int64_t offset, uint64_t mark)
{
    struct log_anchor expected = identity->expected;

    identity->expected = no_anchor;
    if (offset < expected.offset || identity->next >= 0)
        return LOG_NEW;
    if (offset == expected.offset)
        return mark == expected.mark ? LOG_NEW : LOG_OTHER;
    identity->sought = expected;
    identity->next = offset;
    identity->untaken = true;
    return LOG_SEEK;
}

/* The anchor's message is gone, as all old messages go one day. If some messages before the group's
 * position are left, nobody can tell of which log they are. So they are read: rather once more than
 * never. */
static bool check_without_anchor(struct log_identity *identity, int64_t offset)
{
    if (!identity->untaken)
        return false;
    if (offset > identity->next)
        return true; /* where the group was, nothing is left either */
    identity->next = offset;
    return false;
}

/* True: the anchor's message is another one, or the log does not reach so far any more. */
static bool check_found_other(struct log_identity *identity, int64_t offset, uint64_t mark)
{
    struct log_anchor sought = identity->sought;

    if (sought.offset < 0)
        return false;
    identity->sought = identity->suspect = no_anchor;
    identity->reread = offset - 1;
    if (offset > sought.offset)
        return check_without_anchor(identity, offset);
    return offset < sought.offset || mark != sought.mark;
}

enum log_verdict log_identity_message(struct log_identity *identity, int64_t offset, uint64_t mark,
                                      uint64_t now_ms)
{
    if (identity->expected.offset >= 0) {
        enum log_verdict verdict = check_first(identity, offset, mark);
        if (verdict != LOG_NEW)
            return verdict;
    }
    if (check_found_other(identity, offset, mark))
        return LOG_OTHER;
    if (offset < identity->next) {
        if (offset <= identity->reread)
            return LOG_OTHER;
        identity->reread = offset;
        return LOG_SEEN;
    }
    if (identity->next >= 0 && !identity->untaken && identity->suspect.offset < 0 &&
        now_ms - identity->read_ms >= LOG_PAUSE_MS)
        identity->suspect = log_anchors_below(&identity->anchors, identity->next);
    identity->reread = INT64_MAX;
    identity->untaken = false;
    identity->read_ms = now_ms;
    identity->next = offset + 1;
    log_anchors_add(&identity->anchors, offset, mark);
    return LOG_NEW;
}

static int64_t check_seek(struct log_identity *identity, struct log_anchor anchor, uint64_t now_ms)
{
    identity->looked_ms = now_ms;
    if (anchor.offset < 0)
        return LOG_NOTHING;
    identity->sought = anchor;
    return anchor.offset;
}

/* The log ends before our position. That may be so for a while after a broker took over from
 * another one. Therefore we look at an anchor in what is left of the log. */
static int64_t check_short(struct log_identity *identity, int64_t end, uint64_t now_ms)
{
    if (identity->short_ms == 0)
        identity->short_ms = now_ms;
    if (now_ms - identity->short_ms < LOG_SHORT_MS)
        return LOG_NOTHING;
    struct log_anchor anchor = log_anchors_below(&identity->anchors, end);
    if (anchor.offset < 0)
        return LOG_IS_OTHER;
    identity->short_ms = now_ms;
    return check_seek(identity, anchor, now_ms);
}

int64_t log_identity_due(struct log_identity *identity, int64_t end, uint64_t now_ms)
{
    if (identity->next < 0 || identity->untaken)
        return LOG_NOTHING;
    if (end >= 0 && end < identity->next &&
        (identity->sought.offset < 0 || end <= identity->sought.offset))
        return check_short(identity, end, now_ms);
    identity->short_ms = 0;
    if (identity->sought.offset >= 0 ||
        (now_ms - identity->looked_ms < LOG_LOOK_MS && !log_identity_is_burst(identity)))
        return LOG_NOTHING;
    if (identity->suspect.offset >= 0)
        return check_seek(identity, identity->suspect, now_ms);
    if (now_ms - identity->read_ms < LOG_IDLE_MS)
        return LOG_NOTHING;
    return check_seek(identity, log_anchors_below(&identity->anchors, identity->next), now_ms);
}

/* The end of an envelope has its id, or the hints behind it; the time alone is nearly enough. */
uint64_t log_identity_mark(int64_t timestamp, const void *payload, size_t len)
{
    const unsigned char *bytes = payload;
    uint64_t mark = (uint64_t)timestamp ^ (uint64_t)len << 48, word;

    for (size_t i = 0; i < 4 && len >= sizeof word; i++, len -= sizeof word) {
        memcpy(&word, bytes + len - sizeof word, sizeof word);
        mark = (mark ^ word) * 0x9e3779b97f4a7c15U;
        mark ^= mark >> 29;
    }
    return mark;
}
