/* JSON that grows piece by piece. */
#include "common/protocol/json_text.h"

#include "common/base/mem.h"
#include "common/protocol/json_scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

static void is(struct json_text *text, const char *wanted)
{
    assert_int_equal(text->len, strlen(wanted));
    assert_memory_equal(text->data, wanted, text->len);
    free(text->data);
    *text = (struct json_text){0};
}

static void pieces_stand_one_behind_the_other(void **state)
{
    struct json_text text = {0};
    (void)state;
    json_text_put(&text, "{\"n\":%d", 7);
    json_text_member(&text, "a", "x\"\n");
    json_text_member(&text, "empty", "");
    json_text_member(&text, "none", NULL);
    json_text_put(&text, ",\"b\":\"");
    json_text_base64(&text, "\xff", 1);
    json_text_put(&text, "\",\"c\":");
    json_text_string(&text, "\0\xff", 2);
    json_text_put(&text, ",\"d\":");
    json_text_raw(&text, "[1]", 3);
    json_text_raw(&text, NULL, 0);
    json_text_put(&text, "}");
    is(&text,
       "{\"n\":7,\"a\":\"x\\\"\\n\",\"b\":\"/w==\",\"c\":\"\\u0000\xef\xbf\xbd\",\"d\":[1]}");
}

/* Each way to append meets each free room, from none to plenty. */
static void it_grows_wherever_the_room_ends(void **state)
{
    static const char page[2000] = {'\x01'};
    char plain[1101];
    (void)state;
    memset(plain, 'p', sizeof plain - 1);
    plain[sizeof plain - 1] = '\0';
    for (size_t before = 890; before < 1030; before++) {
        struct json_text text = {0};
        json_text_raw(&text, plain, before);
        json_text_put(&text, "%.*s", (int)(before % 200), plain);
        json_text_string(&text, page, 1);
        json_text_base64(&text, page, before % 7);
        json_text_raw(&text, plain, 1100);
        json_text_put(&text, "%s", plain);
        json_text_string(&text, page, sizeof page);
        size_t wanted =
            before + (before % 200) + 8 + ((before % 7 + 2) / 3 * 4) + 2200 + (6 * sizeof page) + 2;
        assert_int_equal(text.len, wanted);
        assert_true(text.len <= text.size);
        assert_int_equal(text.data[text.len - 1], '"');
        free(text.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_stand_one_behind_the_other),
        cmocka_unit_test(it_grows_wherever_the_room_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
