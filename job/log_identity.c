#include "job/log_identity.h"

#include <stdbool.h>
#include <string.h>

static const struct log_anchor no_anchor = {.offset = -1};

void log_identity_init(struct log_identity *check)
{
    *check = (struct log_identity){
        .next = -1, .reread = INT64_MAX, .suspect = no_anchor, .sought = no_anchor};
    check->expected = no_anchor;
    log_anchors_init(&check->anchors);
}

void log_identity_expect(struct log_identity *check, struct log_anchor anchor)
{
    if (check->next < 0)
        check->expected = anchor;
}

void log_identity_rewind(struct log_identity *check, int64_t offset)
{
    check->next = offset;
    check->sought = check->suspect = check->expected = no_anchor;
    check->untaken = false;
    check->reread = INT64_MAX;
}

void log_identity_alarm(struct log_identity *check)
{
    check->looked_ms = 0;
    if (check->suspect.offset < 0 && check->next >= 0)
        check->suspect = log_anchors_below(&check->anchors, check->next);
}

/* Does OFFSET, the first, have to wait until what stands at the anchor was read? Reading that
 * begins below the anchor skips nothing. */
static enum log_verdict check_first(struct log_identity *check, int64_t offset, uint64_t mark)
{
    struct log_anchor expected = check->expected;

    check->expected = no_anchor;
    if (offset < expected.offset || check->next >= 0)
        return LOG_NEW;
    if (offset == expected.offset)
        return mark == expected.mark ? LOG_NEW : LOG_OTHER;
    check->sought = expected;
    check->next = offset;
    check->untaken = true;
    return LOG_SEEK;
}

/* The anchor is gone, as all old messages go one day. If not all are gone up to where the group
 * was, nobody can tell which log the rest is of: what is left is read, rather once more than never.
 */
static bool check_without_anchor(struct log_identity *check, int64_t offset)
{
    if (!check->untaken)
        return false;
    if (offset > check->next)
        return true; /* where the group was, nothing is left either */
    check->next = offset;
    return false;
}

/* True: the anchor's message is another one, or the log does not reach so far any more. */
static bool check_found_other(struct log_identity *check, int64_t offset, uint64_t mark)
{
    struct log_anchor sought = check->sought;

    if (sought.offset < 0)
        return false;
    check->sought = check->suspect = no_anchor;
    check->reread = offset - 1;
    if (offset > sought.offset)
        return check_without_anchor(check, offset);
    return offset < sought.offset || mark != sought.mark;
}

enum log_verdict log_identity_message(struct log_identity *check, int64_t offset, uint64_t mark,
                                      uint64_t now_ms)
{
    if (check->expected.offset >= 0) {
        enum log_verdict verdict = check_first(check, offset, mark);
        if (verdict != LOG_NEW)
            return verdict;
    }
    if (check_found_other(check, offset, mark))
        return LOG_OTHER;
    if (offset < check->next) {
        if (offset <= check->reread)
            return LOG_OTHER;
        check->reread = offset;
        return LOG_SEEN;
    }
    if (check->next >= 0 && !check->untaken && check->suspect.offset < 0 &&
        now_ms - check->read_ms >= LOG_PAUSE_MS)
        check->suspect = log_anchors_below(&check->anchors, check->next);
    check->reread = INT64_MAX;
    check->untaken = false;
    check->read_ms = now_ms;
    check->next = offset + 1;
    log_anchors_add(&check->anchors, offset, mark);
    return LOG_NEW;
}

static int64_t check_seek(struct log_identity *check, struct log_anchor anchor, uint64_t now_ms)
{
    check->looked_ms = now_ms;
    if (anchor.offset < 0)
        return LOG_NOTHING;
    check->sought = anchor;
    return anchor.offset;
}

/* The log ends before what we have read. Right after a broker took over from another one that may
 * be so for a while, therefore what is left of it is looked at. */
static int64_t check_short(struct log_identity *check, int64_t end, uint64_t now_ms)
{
    if (check->short_ms == 0)
        check->short_ms = now_ms;
    if (now_ms - check->short_ms < LOG_SHORT_MS)
        return LOG_NOTHING;
    struct log_anchor anchor = log_anchors_below(&check->anchors, end);
    if (anchor.offset < 0)
        return LOG_IS_OTHER;
    check->short_ms = now_ms;
    return check_seek(check, anchor, now_ms);
}

int64_t log_identity_due(struct log_identity *check, int64_t end, uint64_t now_ms)
{
    if (check->next < 0 || check->untaken)
        return LOG_NOTHING;
    if (end >= 0 && end < check->next && (check->sought.offset < 0 || end <= check->sought.offset))
        return check_short(check, end, now_ms);
    check->short_ms = 0;
    if (check->sought.offset >= 0 || now_ms - check->looked_ms < LOG_LOOK_MS)
        return LOG_NOTHING;
    if (check->suspect.offset >= 0)
        return check_seek(check, check->suspect, now_ms);
    if (now_ms - check->read_ms < LOG_IDLE_MS)
        return LOG_NOTHING;
    return check_seek(check, log_anchors_below(&check->anchors, check->next), now_ms);
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
