/* Messages to rooms go to the comets that have members, as long as these say so. */
#include "common/protocol/room_news.h"
#include "tests/unit/job/core_fixture.h"

enum { MOST = 100 };

static int setup_asking(void **state)
{
    setup(state);
    bench.config.comet_rooms = MOST;
    return 0;
}

static void push_to(const char *room)
{
    push_room(IMC__V1__PUSH_MSG__TYPE__ROOM, room, 0);
}

/* --- what a comet says --- */

struct question {
    int n;
    uint64_t asked, applied;
    bool anew, gave_up;
};

static struct question question_of(int i)
{
    struct fake_comet *comet = bench.comets[i];

    pthread_mutex_lock(&comet->lock);
    struct question question = {comet->questions, comet->asked, comet->applied, comet->anew,
                                comet->gave_up};
    pthread_mutex_unlock(&comet->lock);
    return question;
}

static uint64_t hash_of(const char *room)
{
    return room_hash(room, strlen(room));
}

/* ENTERED and LEFT: one room each, or NULL. */
static void say(int i, uint64_t number, const char *entered, const char *left, uint64_t grant)
{
    Imc__V1__RoomNews news;
    uint64_t in = entered == NULL ? 0 : hash_of(entered), out = left == NULL ? 0 : hash_of(left);

    imc__v1__room_news__init(&news);
    news.number = number;
    news.all = number == 1;
    news.entered = &in;
    news.n_entered = entered != NULL;
    news.left = &out;
    news.n_left = left != NULL;
    news.grant = grant;
    fake_comet_news(bench.comets[i], &news);
}

static bool may_leave_out(int i)
{
    return comets_granted(bench.job.comets) == (size_t)(i < 0 ? COMETS : 1);
}

/* Comet I has "lobby", and grants. The first message that makes job ask has offset 0. */
static void comet_grants(int i)
{
    if (bench.offset == 0)
        push_to("first");
    wait_for(question_of(i).asked != 0);
    say(i, 1, "lobby", NULL, question_of(i).asked);
    wait_for(comets_granted(bench.job.comets) > 0);
    wait_for(position() == bench.offset && question_of(i).applied == 1);
    comet_saw(0);
    comet_saw(1);
}

static void both_saw(const char *word)
{
    wait_for(comet_has_seen(0, word) && comet_has_seen(1, word));
}

/* --- tests --- */

static void without_a_grant_everything_is_sent(void **state)
{
    (void)state;
    push_to("lobby");
    both_saw("r:lobby@0");
    wait_for(question_of(0).asked != 0);
    assert_true(question_of(0).anew && question_of(0).applied == 0);
    say(0, 1, "other", NULL, 0); /* news alone are no grant */
    wait_for(question_of(0).applied == 1);
    push_to("lobby");
    both_saw("r:lobby@1");
    assert_int_equal(counter(JOB_ROOM_ITEMS_LEFT_OUT), 0);
    assert_int_equal(counter(JOB_ROOM_ITEMS_SENT), 4);
}

static void with_a_grant_only_what_has_members(void **state)
{
    (void)state;
    comet_grants(0);
    push_to("lobby");
    push_to("empty");
    push_room(IMC__V1__PUSH_MSG__TYPE__BROADCAST, "", 0);
    both_saw("a@3/0");
    wait_for(position() == 4);
    assert_string_equal(comet_saw(0), "r:lobby@1 a@3/0 ");
    assert_string_equal(comet_saw(1), "r:lobby@1 r:empty@2 a@3/0 ");
    assert_int_equal(counter(JOB_ROOM_ITEMS_LEFT_OUT), 1);
    say(0, 2, "empty", "lobby", 0);
    wait_for(question_of(0).applied == 2);
    push_to("lobby");
    push_to("empty");
    wait_for(position() == 6);
    assert_string_equal(comet_saw(0), "r:empty@5 ");
}

static void a_message_for_nobody_is_done_at_once(void **state)
{
    (void)state;
    comet_grants(0);
    wait_for(question_of(1).asked != 0);
    say(1, 1, NULL, NULL, question_of(1).asked);
    wait_for(may_leave_out(-1));
    int64_t before = counter(JOB_DELIVERED_ROOM);
    push_to("empty");
    assert_int_equal(position(), 2);
    assert_int_equal(counter(JOB_DELIVERED_ROOM), before + 1);
    assert_int_equal(bench.job.windows.delivering.count, 0);
}

/* We may have stood still, and our loop not know it yet. */
static void a_grant_ends_by_the_clock(void **state)
{
    (void)state;
    comet_grants(0);
    fake_comet_tell(bench.comets[0], FAKE_TAKEN, true); /* nor answers */
    push_to("empty");
    assert_int_equal(counter(JOB_ROOM_ITEMS_LEFT_OUT), 1);
    clock_move(ROOM_GRANT_MS);
    assert_int_equal(comets_granted(bench.job.comets), 0);
    push_to("empty");
    assert_int_equal(counter(JOB_ROOM_ITEMS_LEFT_OUT), 1);
    wait_for(comet_has_seen(0, "r:empty@2"));
    assert_false(comet_has_seen(0, "r:empty@1"));
    fake_comet_tell(bench.comets[0], FAKE_TAKEN, false);
}

/* It holds from when we asked, however late the answer is. */
static void a_late_answer_grants_less(void **state)
{
    (void)state;
    push_to("first");
    wait_for(question_of(0).asked != 0);
    uint64_t asked = question_of(0).asked;
    clock_move(ROOM_GRANT_MS);
    say(0, 1, "lobby", NULL, asked);
    wait_for(question_of(0).applied == 1);
    assert_int_equal(comets_granted(bench.job.comets), 0);
}

static void nobody_grants_what_was_not_asked(void **state)
{
    (void)state;
    push_to("first");
    wait_for(question_of(0).asked != 0);
    const uint64_t wrong[] = {question_of(0).asked + 60000000, question_of(0).asked - 1, 1,
                              UINT64_MAX};
    for (uint64_t i = 0; i < 4; i++)
        say(0, i + 1, NULL, NULL, wrong[i]);
    say(0, 5, "lobby", NULL, 0);
    wait_for(question_of(0).applied == 5);
    assert_int_equal(comets_granted(bench.job.comets), 0);
}

static void a_broken_stream_ends_the_grant(void **state)
{
    (void)state;
    comet_grants(0);
    uint64_t asked = question_of(0).asked;
    fake_comet_break(bench.comets[0]);
    wait_for(comets_granted(bench.job.comets) == 0);
    push_to("empty");
    wait_for(comet_has_seen(0, "r:empty@1"));
    wait_for(question_of(0).anew);
    say(0, 1, NULL, NULL, asked); /* of the stream before */
    say(0, 2, "lobby", NULL, 0);
    wait_for(question_of(0).applied == 2);
    assert_int_equal(comets_granted(bench.job.comets), 0);
    push_to("empty");
    wait_for(comet_has_seen(0, "r:empty@2"));
}

static void missing_news_end_the_grant(void **state)
{
    (void)state;
    comet_grants(0);
    say(0, 3, "empty", NULL, 0);
    wait_for(counter(JOB_ROOM_NEWS_REFUSED) == 1);
    assert_int_equal(comets_granted(bench.job.comets), 0);
    push_to("nowhere");
    both_saw("r:nowhere@1");
    wait_for(question_of(0).anew);
    say(0, 4, "nowhere", NULL, question_of(0).asked); /* sent before it saw that */
    say(0, 1, "lobby", NULL, question_of(0).asked);
    wait_for(comets_granted(bench.job.comets) == 1);
    push_to("nowhere");
    wait_for(comet_has_seen(1, "r:nowhere@2"));
    assert_int_equal(counter(JOB_ROOM_ITEMS_LEFT_OUT), 1);
}

static void a_comet_with_too_many_rooms_gets_everything(void **state)
{
    (void)state;
    uint64_t many[MOST + 1];
    Imc__V1__RoomNews news;
    comet_grants(0);
    for (uint64_t i = 0; i <= MOST; i++)
        many[i] = i;
    imc__v1__room_news__init(&news);
    news.number = 2;
    news.entered = many;
    news.n_entered = MOST - 1; /* with the lobby just as many */
    fake_comet_news(bench.comets[0], &news);
    wait_for(comets_rooms(bench.job.comets) == MOST);
    news.number = 3;
    news.n_entered = MOST;
    fake_comet_news(bench.comets[0], &news);
    wait_for(counter(JOB_ROOM_NEWS_REFUSED) == 1);
    assert_int_equal(comets_rooms(bench.job.comets), 0);
    push_to("empty");
    wait_for(comet_has_seen(0, "r:empty@1"));
    int before = question_of(0).n;
    turn_for(1100);
    assert_int_equal(question_of(0).n, before); /* not even asked */
    clock_move(60000);
    turn_for(1);
    push_to("empty");
    wait_for(question_of(0).n > before);
}

static void lists_beyond_the_limit_are_refused(void **state)
{
    (void)state;
    static uint64_t many[ROOM_NEWS_MAX + 1];
    Imc__V1__RoomNews news;
    comet_grants(0);
    imc__v1__room_news__init(&news);
    news.number = 2;
    news.left = many;
    news.n_left = ROOM_NEWS_MAX;
    fake_comet_news(bench.comets[0], &news);
    wait_for(question_of(0).applied == 2);
    news.number = 3;
    news.n_left++;
    fake_comet_news(bench.comets[0], &news);
    wait_for(counter(JOB_ROOM_NEWS_REFUSED) == 1);
    assert_int_equal(comets_granted(bench.job.comets), 0);
}

static void without_messages_to_rooms_nothing_is_asked(void **state)
{
    (void)state;
    push(7, "0:1");
    push_room(IMC__V1__PUSH_MSG__TYPE__BROADCAST, "", 0);
    wait_for(position() == 2);
    turn_for(1100);
    assert_int_equal(question_of(0).n, 0);
    push_to("lobby");
    wait_for(question_of(0).n > 0);
    clock_move(5000);
    turn_for(600);
    int before = question_of(0).n;
    turn_for(1100);
    assert_int_equal(question_of(0).n, before);
}

static void a_limit_of_0_asks_nothing(void **state)
{
    (void)state;
    bench.config.comet_rooms = 0;
    push_to("lobby");
    wait_for(position() == 1);
    turn_for(1100);
    assert_int_equal(question_of(0).n, 0);
    say(0, 1, NULL, NULL, 1);
    turn_for(100);
    assert_int_equal(comets_granted(bench.job.comets), 0);
}

static void a_job_that_ends_gives_its_grants_up(void **state)
{
    (void)state;
    comet_grants(0);
    comets_give_up(bench.job.comets);
    assert_int_equal(comets_granted(bench.job.comets), 0);
    wait_for(question_of(0).gave_up);
    push_to("empty");
    wait_for(comet_has_seen(0, "r:empty@1"));
    int before = question_of(0).n;
    turn_for(1100);
    assert_int_equal(question_of(0).n, before);
}

/* What is kept for it is what it would have got. */
static void a_comet_taken_for_dead_keeps_everything_without_a_grant(void **state)
{
    (void)state;
    bench.config.hold_ms = 60000;
    bench.config.hold_bytes = 1 << 20;
    members_are(1, 1);
    bench.comet_members[1].process = 1001;
    members_are(3, 1);
    push_to("first");
    wait_for(position() == 1);
    comet_grants(1);
    fake_comet_tell(bench.comets[1], FAKE_TAKEN, true);
    members_are(1, 1);
    push_to("empty");
    wait_for(position() == 2);
    wait_for(comet_has_seen(1, "r:empty@1"));
    fake_comet_tell(bench.comets[1], FAKE_TAKEN, false);
}

#define rooms_test(fn) cmocka_unit_test_setup_teardown(fn, setup_asking, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        rooms_test(without_a_grant_everything_is_sent),
        rooms_test(with_a_grant_only_what_has_members),
        rooms_test(a_message_for_nobody_is_done_at_once),
        rooms_test(a_grant_ends_by_the_clock),
        rooms_test(a_late_answer_grants_less),
        rooms_test(nobody_grants_what_was_not_asked),
        rooms_test(a_broken_stream_ends_the_grant),
        rooms_test(missing_news_end_the_grant),
        rooms_test(a_comet_with_too_many_rooms_gets_everything),
        rooms_test(lists_beyond_the_limit_are_refused),
        rooms_test(without_messages_to_rooms_nothing_is_asked),
        rooms_test(a_limit_of_0_asks_nothing),
        rooms_test(a_job_that_ends_gives_its_grants_up),
        rooms_test(a_comet_taken_for_dead_keeps_everything_without_a_grant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
