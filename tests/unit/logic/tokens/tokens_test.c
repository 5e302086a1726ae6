#include "logic/tokens/tokens.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

static void round_trip(int64_t uid, const char *room, const char *accepts)
{
    struct token_value in = {.uid = uid,
                             .room = room,
                             .room_len = strlen(room),
                             .accepts = accepts,
                             .accepts_len = strlen(accepts)};
    struct token_value out;
    char text[512];

    assert_true(token_value_size(&in) <= sizeof text);
    size_t len = token_encode(&in, text, sizeof text);
    assert_int_equal(token_decode(text, len, &out), 0);
    assert_true(out.uid == uid);
    assert_int_equal(out.room_len, strlen(room));
    assert_memory_equal(out.room, room, out.room_len);
    assert_int_equal(out.accepts_len, strlen(accepts));
    assert_memory_equal(out.accepts, accepts, out.accepts_len);
}

static void encoding_round_trips(void **state)
{
    (void)state;
    round_trip(1, "", "*");
    round_trip(0, "7", "");
    round_trip(INT64_MIN, "live://1000", "5,6");
    round_trip(INT64_MAX, "a room with spaces ", "*");
}

static void encoding_is_readable(void **state)
{
    struct token_value in = {
        .uid = 42, .room = "7", .room_len = 1, .accepts = "*", .accepts_len = 1};
    char text[64];

    (void)state;
    assert_int_equal(token_encode(&in, text, sizeof text), 8);
    assert_memory_equal(text, "1 42 * 7", 8);
}

static void garbage_is_refused(void **state)
{
    static const char *const rows[] = {"",
                                       "1",
                                       "1 ",
                                       "2 42 * ",
                                       "1 x * ",
                                       "1 42",
                                       "1 42 *",
                                       "1  * ",
                                       "1 42x * ",
                                       "1 99999999999999999999 * ",
                                       "1 123456789012345678901234567890 * "};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct token_value out;
        assert_true(token_decode(rows[i], strlen(rows[i]), &out) < 0);
    }
}

/* As a C string each would be another value than the one that stands there. */
static void a_nul_is_refused(void **state)
{
    static const char uid[] = "1 4\0002 * r", accepts[] = "1 42 5\0,6 r", room[] = "1 42 * a\0b";
    struct token_value out;

    (void)state;
    assert_int_equal(token_decode(uid, sizeof uid - 1, &out), -EBADMSG);
    assert_int_equal(token_decode(accepts, sizeof accepts - 1, &out), -EBADMSG);
    assert_int_equal(token_decode(room, sizeof room - 1, &out), -EBADMSG);
}

static void a_room_is_bounded(void **state)
{
    struct token_value out;
    char text[8 + TOKEN_ROOM_MAX] = "1 5 * ";
    size_t head = strlen(text);

    (void)state;
    memset(text + head, 'r', TOKEN_ROOM_MAX + 1);
    assert_int_equal(token_decode(text, head + TOKEN_ROOM_MAX, &out), 0);
    assert_int_equal(out.room_len, TOKEN_ROOM_MAX);
    assert_true(token_decode(text, head + TOKEN_ROOM_MAX + 1, &out) < 0);
}

static void rooms_stand_behind_the_main_one(void **state)
{
    struct token_value in = {.uid = 5, .accepts = "*", .accepts_len = 1}, out;
    char text[64 + TOKEN_ROOM_MAX + TOKEN_ROOMS_MAX], rooms[TOKEN_ROOMS_MAX + 2];

    (void)state;
    memset(rooms, 'r', sizeof rooms);
    in.room = "main";
    in.room_len = 4;
    in.rooms = rooms;
    in.rooms_len = TOKEN_ROOMS_MAX;
    size_t len = token_encode(&in, text, sizeof text);
    assert_true(len <= token_value_size(&in));
    assert_int_equal(token_decode(text, len, &out), 0);
    assert_int_equal(out.room_len, 4);
    assert_int_equal(out.rooms_len, TOKEN_ROOMS_MAX);
    assert_memory_equal(out.rooms, rooms, TOKEN_ROOMS_MAX);
    text[len] = 'r';
    assert_true(token_decode(text, len + 1, &out) < 0);
    assert_int_equal(token_decode("1 5 * \na,b", 10, &out), 0);
    assert_int_equal(out.room_len, 0);
    assert_memory_equal(out.rooms, "a,b", 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encoding_round_trips), cmocka_unit_test(encoding_is_readable),
        cmocka_unit_test(garbage_is_refused),   cmocka_unit_test(a_nul_is_refused),
        cmocka_unit_test(a_room_is_bounded),    cmocka_unit_test(rooms_stand_behind_the_main_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
