/* Pages of a room's members over comets with several loops, which the test plays: whoever else
 * comes and goes, each that stays is shown once. */
#include "common/base/mem.h"
#include "common/membership/membership.h"
#include "logic/peers/questions.h"
#include "logic/peers/room_members.h"
#include "logic/peers/streams.h"
#include "tests/unit/lib/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

enum { COMETS = 9, LOOPS = 3, SLOTS = 40, WAITING_MAX = 64 };

/* --- the comets --- */

static int64_t uids[COMETS][LOOPS][SLOTS]; /* 0: nobody */
static bool away[COMETS], silent[COMETS];
static struct member members[COMETS];
static struct member_list list = {COMETS, members};

const struct member_list *membership_list(const struct membership *membership,
                                          enum member_kind kind)
{
    (void)membership;
    assert_int_equal(kind, MEMBER_COMET);
    return &list;
}

static struct waiting {
    uint64_t number;
    uint32_t comet, loop, after, limit;
} waiting[WAITING_MAX];
static size_t n_waiting, n_asked, n_fetched;

size_t stream_ask(struct streams *service, const char *comet, const ProtobufCMessage *message)
{
    const Imc__V1__Question *question = ((const Imc__V1__SessionReply *)message)->questions[0];
    unsigned i = 0;

    (void)service;
    assert_string_equal(question->room, "r");
    while (strcmp(members[i].id, comet) != 0)
        i++;
    n_asked++;
    if (away[i])
        return 0;
    assert_true(n_waiting < WAITING_MAX);
    if (!silent[i])
        waiting[n_waiting++] =
            (struct waiting){question->number, i, question->loop, question->after, question->limit};
    return 2;
}

static struct loop loop;
static struct logic_config config = {.rooms_timeout_ms = 1000};
static _Atomic int64_t counters[LOGIC_METRIC_COUNT];
static struct logic logic = {.config = &config, .loop = &loop, .counters = counters};

static void answer(const struct waiting *asked)
{
    Imc__V1__Answer out;
    Imc__V1__AskedSession sessions[SLOTS], *pointers[SLOTS];

    imc__v1__answer__init(&out);
    out.number = asked->number;
    out.sessions = pointers;
    for (uint32_t slot = asked->after; slot < SLOTS; slot++) {
        if (uids[asked->comet][asked->loop][slot] == 0)
            continue;
        if (out.n_sessions == asked->limit) {
            out.more = true;
            out.after = slot;
            break;
        }
        Imc__V1__AskedSession *session = pointers[out.n_sessions] = &sessions[out.n_sessions];
        imc__v1__asked_session__init(session);
        session->handle = (uint64_t)asked->loop << 56 | slot;
        session->uid = uids[asked->comet][asked->loop][slot];
        out.n_sessions++;
    }
    n_fetched += out.n_sessions;
    questions_answered(logic.questions, members[asked->comet].id, &out);
}

/* --- a page --- */

static struct {
    int calls;
    size_t n, n_unanswered;
    int64_t uids[200];
    bool more, too_many;
    struct members_place next;
    char unanswered[64];
} told;

static void on_page(void *arg, const struct members_page *page)
{
    assert_ptr_equal(arg, &told);
    memset(&told.n, 0, sizeof told - offsetof(__typeof__(told), n));
    told.calls++;
    told.n = page->n;
    told.too_many = page->too_many;
    told.more = page->more;
    told.next = page->next;
    told.n_unanswered = page->n_unanswered;
    for (size_t i = 0; i < page->n; i++)
        told.uids[i] = page->members[i].uid;
    if (page->n_unanswered > 0)
        snprintf(told.unanswered, sizeof told.unanswered, "%s", page->unanswered[0]);
}

/* The comets answer in any order. */
static void ask(const struct members_place *from, uint32_t limit)
{
    int calls = told.calls;

    room_members_page(&logic, "r", from, limit, on_page, &told);
    while (told.calls == calls && n_waiting > 0) {
        size_t i = (size_t)random() % n_waiting;
        struct waiting one = waiting[i];
        waiting[i] = waiting[--n_waiting];
        answer(&one);
    }
}

static int setup(void **state)
{
    (void)state;
    memset(&told, 0, sizeof told);
    memset(uids, 0, sizeof uids);
    memset(away, 0, sizeof away);
    memset(silent, 0, sizeof silent);
    memset(counters, 0, sizeof counters);
    n_waiting = n_asked = n_fetched = 0;
    for (unsigned i = 0; i < COMETS; i++) {
        members[i] = (struct member){.loops = LOOPS};
        snprintf(members[i].id, sizeof members[i].id, "comet-%u", i);
    }
    clock_take();
    int err = loop_init(&loop, "test", 0);
    logic.questions = questions_open(&logic);
    return err;
}

static int teardown(void **state)
{
    (void)state;
    questions_close(logic.questions);
    logic.questions = NULL;
    assert_int_equal(counters[LOGIC_QUESTIONS], 0);
    loop_close(&loop);
    clock_give_back();
    return 0;
}

static int64_t *place(unsigned i)
{
    return &uids[i / (LOOPS * SLOTS)][i / SLOTS % LOOPS][i % SLOTS];
}

/* Goes through the pages of a room of which a part of PERCENT is taken, while others change. */
static void check_pages(unsigned percent, uint32_t limit)
{
    enum { PLACES = COMETS * LOOPS * SLOTS };
    unsigned seen[PLACES + 1] = {0}, pages = 0;
    bool stays[PLACES + 1] = {0};
    struct members_place from = {0};

    memset(uids, 0, sizeof uids);
    for (unsigned i = 0; i < PLACES; i++) {
        bool in = (unsigned)random() % 100 < percent;
        *place(i) = in ? i + 1 : 0;
        stays[i + 1] = in && random() % 3 != 0;
    }
    do {
        ask(&from, limit);
        assert_true(told.n <= limit && told.n_unanswered == 0 && ++pages <= PLACES + 1);
        assert_true(told.more || n_waiting == 0);
        for (size_t i = 0; i < told.n; i++)
            seen[told.uids[i]]++;
        for (unsigned i = 0; i < PLACES / 20; i++) { /* some leave, others come into their places */
            unsigned at = (unsigned)random() % PLACES;
            if (!stays[at + 1])
                *place(at) = *place(at) == 0 ? PLACES : 0;
        }
        from = told.next;
    } while (told.more);
    for (unsigned i = 1; i < PLACES; i++)
        assert_true(!stays[i] || seen[i] == 1);
}

static void each_that_stays_is_shown_once(void **state)
{
    static const unsigned percents[] = {0, 1, 5, 50, 100};
    static const uint32_t limits[] = {1, 2, 7, 40, 100, 200};

    (void)state;
    srandom(7);
    for (size_t i = 0; i < sizeof percents / sizeof percents[0]; i++) {
        for (size_t j = 0; j < sizeof limits / sizeof limits[0]; j++)
            check_pages(percents[i], limits[j]);
    }
}

/* A page of a large room costs a question or two, and no member too many. */
static void a_large_room_costs_what_it_gives(void **state)
{
    struct members_place from = {0};

    (void)state;
    for (unsigned i = 0; i < COMETS * LOOPS * SLOTS; i++)
        *place(i) = i + 1;
    ask(&from, 30);
    assert_true(told.n == 30 && told.more);
    assert_true(n_asked == 1 && n_fetched == 30);
    from = told.next;
    ask(&from, 30);
    assert_true(told.n == 30 && n_fetched <= 2 * 30 + 10);
}

static void a_small_room_is_one_page(void **state)
{
    (void)state;
    uids[8][2][5] = 7;
    ask(&(struct members_place){0}, 100);
    assert_true(told.n == 1 && told.uids[0] == 7 && !told.more);
    assert_int_equal(n_asked, COMETS * LOOPS);
}

static void comets_that_do_not_answer_are_named(void **state)
{
    (void)state;
    uids[0][0][0] = 1;
    uids[4][1][0] = 2;
    uids[8][0][0] = 3;
    away[4] = true;
    ask(&(struct members_place){0}, 100);
    assert_true(told.n == 2 && !told.more && told.n_unanswered == 1);
    assert_string_equal(told.unanswered, "comet-4");
    away[4] = false;
    members[4].loops = 0; /* an earlier version */
    ask(&(struct members_place){0}, 100);
    assert_true(told.n == 2 && told.n_unanswered == 1);
    assert_string_equal(told.unanswered, "comet-4");
}

/* The page ends when the time is over, and the next one goes on behind the silent comet. */
static void a_silent_comet_is_waited_for_once(void **state)
{
    (void)state;
    uids[0][0][0] = 1;
    uids[8][0][0] = 3;
    silent[1] = true;
    ask(&(struct members_place){0}, 100);
    assert_int_equal(told.calls, 0);
    while (told.calls == 0)
        uv_run(&loop.uv, UV_RUN_ONCE);
    assert_true(told.n == 1 && told.more && told.n_unanswered == 1);
    assert_string_equal(told.unanswered, "comet-1");
    struct members_place from = told.next;
    assert_string_not_equal(from.comet, "comet-1");
    ask(&from, 100);
    assert_true(told.calls == 2 && told.n == 1 && told.uids[0] == 3 && told.n_unanswered == 0);
}

static void a_comet_that_is_gone_is_passed_over(void **state)
{
    struct members_place from = {.comet = "comet-3x", .loop = 1, .slot = 9};

    (void)state;
    uids[3][0][0] = 1;
    uids[4][0][0] = 2;
    ask(&from, 100);
    assert_true(told.n == 1 && told.uids[0] == 2);
    from = (struct members_place){.comet = "zzz"};
    ask(&from, 100);
    assert_true(told.n == 0 && !told.more);
}

static void answers_that_do_not_fit_are_not_taken(void **state)
{
    Imc__V1__Answer wrong;

    (void)state;
    room_members_page(&logic, "r", &(struct members_place){0}, 5, on_page, &told);
    imc__v1__answer__init(&wrong);
    wrong.number = waiting[0].number;
    wrong.handles = 1;
    questions_answered(logic.questions, members[0].id, &wrong);
    wrong.handles = 0;
    questions_answered(logic.questions, members[1].id, &wrong);
    wrong.number++;
    questions_answered(logic.questions, members[0].id, &wrong);
    questions_answered(NULL, members[0].id, &wrong);
    assert_true(told.calls == 0 && n_waiting == 1);
    answer(&waiting[0]);
    assert_true(n_waiting > 1); /* the next round */
}

static void questions_have_a_limit(void **state)
{
    (void)state;
    for (unsigned i = 0; i < QUESTIONS_MAX; i++) {
        n_waiting = 0;
        room_members_page(&logic, "r", &(struct members_place){0}, 5, on_page, &told);
    }
    assert_int_equal(told.calls, 0);
    room_members_page(&logic, "r", &(struct members_place){0}, 5, on_page, &told);
    assert_true(told.calls == 1 && told.too_many);
    assert_int_equal(counters[LOGIC_QUESTIONS], QUESTIONS_MAX);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(each_that_stays_is_shown_once),
        TEST(a_large_room_costs_what_it_gives),
        TEST(a_small_room_is_one_page),
        TEST(comets_that_do_not_answer_are_named),
        TEST(a_silent_comet_is_waited_for_once),
        TEST(a_comet_that_is_gone_is_passed_over),
        TEST(answers_that_do_not_fit_are_not_taken),
        TEST(questions_have_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
