/* questions.h - asks comets what only they know: what sessions are like, and who is in a room. Main
 * loop only.
 *
 *   question_ask ══ stream_ask ═══► comet: each loop that knows something
 *        fn ◄── Answer ◄═══════════ session_requests.c ◄════════┘
 *           ◄── NULL: rooms.timeout is over
 *
 * A question is one attempt, and changes nothing. */
#ifndef IMC_LOGIC_PEERS_QUESTIONS_H
#define IMC_LOGIC_PEERS_QUESTIONS_H

#include "logic/base/logic.h"
#include "proto/session.pb-c.h"

/* As in comet/logic/questions.h. */
enum {
    QUESTIONS_MAX = 500, /* under way */
    QUESTION_HANDLES_MAX = 1000,
    QUESTION_MEMBERS_MAX = 1000,
};

struct questions;

/* ANSWER is valid only during the call; NULL: the comet did not answer in time, or this logic ends.
 * DONE: no other comes. A question about handles has an answer of each loop that has some. */
typedef void (*answer_fn)(void *arg, const Imc__V1__Answer *answer, bool done);

struct questions *questions_open(struct logic *logic);
/* Questions that are under way get NULL, and what is asked then gets false. NULL is fine. */
void questions_close(struct questions *questions);
/* Fewer than QUESTIONS_MAX are under way. */
bool questions_have_room(const struct questions *questions);
/* Asks QUESTION->comet, and sets the number. FN runs at least once, never before this returns.
 * False: no stream of that comet is open here, and FN will not run. */
bool question_ask(struct questions *questions, Imc__V1__Question *question, answer_fn fn,
                  void *arg);
/* A loop of COMET has answered. QUESTIONS may be NULL. */
void questions_answered(struct questions *questions, const char *comet,
                        const Imc__V1__Answer *answer);

#endif
