/* Marks, members of mailboxes with a mark, steps as Redis has them, which anybody may have written,
 * and answers of a collector. */
#include "common/trace/otlp_answer.h"
#include "common/trace/trace_mark.h"
#include "logic/mailbox/mailbox.h"
#include "logic/trace/trace_read.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_member(const uint8_t *data, size_t size)
{
    struct mailbox_message message;
    struct trace_mark mark;
    uint8_t again[4096];

    if (size > sizeof again || mailbox_decode(data, size, &message) != 0)
        return;
    assert(message.body + message.len == data + size);
    assert(mailbox_size(&message) == size);
    mailbox_encode(&message, again);
    assert(memcmp(again, data, size) == 0);
    if (message.trace != NULL && trace_mark_read(message.trace, TRACE_MARK_LEN, &mark)) {
        trace_mark_write(&mark, again);
        assert(memcmp(again, message.trace, TRACE_MARK_LEN) == 0);
    }
}

/* Lines are steps. */
static void check_story(const uint8_t *data, size_t size)
{
    struct story story = {0};

    for (size_t at = 0; at < size && story.n < 64;) {
        const uint8_t *end = memchr(data + at, '\n', size - at);
        size_t len = end != NULL ? (size_t)(end - data) - at : size - at;
        story_add(&story, (const char *)data + at, len);
        at += len + 1;
    }
    story_conclude(&story, 1000);
    for (size_t i = 1; i < story.n; i++)
        assert(story.steps[i].members == NULL || story.steps[i - 1].at_us <= story.steps[i].at_us);
    assert(story.n == 0 || story.state != NULL);
    story_free(&story);
}

static void check_answer(const uint8_t *data, size_t size)
{
    char why[OTLP_WHY_MAX];

    assert(otlp_answer_refused((const char *)data, size, 7, why) <= 7);
    assert(strlen(why) < sizeof why && strpbrk(why, "\"\r\n") == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_member(data, size);
    check_story(data, size);
    check_answer(data, size);
    return 0;
}
