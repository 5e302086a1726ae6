/* What a list in Redis has, which anybody may have written. */
#include "common/base/mem.h"
#include "common/events/session_record.h"
#include "logic/events/fact_text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read says all that the text has. */
static void check(const char *text, size_t size, const struct fact_text *fact)
{
    char key[MESSAGE_FACT_MAX];
    uint64_t id = 0;

    for (int i = 1; i <= 8; i++)
        id = id << 8 | (uint8_t)text[i];
    assert(fact->message == id);
    assert((1U << fact->type & EVENTS_OF_MESSAGES) != 0);
    assert((fact->type == EVENT_EXPIRED) == (fact->why[0] != '\0'));
    assert(fact->session > text && fact->session + strlen(fact->session) == text + size);
    size_t len = message_fact_write(fact->uid, fact->message, fact->session,
                                    event_type_names[fact->type].what, key);
    assert(len < sizeof key && len == strlen(key));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mem_alloc(size + 1);
    struct fact_text fact;

    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    if (fact_text_read(text, size, &fact))
        check(text, size, &fact);
    free(text);
    return 0;
}
