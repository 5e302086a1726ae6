/* GET and POST /member: writes the question, reads it on the other side, and answers it. */
#include "common/base/text.h"
#include "common/membership/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void member_question_encode(const struct member_question *question, char *buf, size_t len)
{
    char id[3 * sizeof(((struct member *)0)->id) + 1], dead[32] = "";
    text_to_uri(question->id, strlen(question->id), id, sizeof id);
    if (question->dead != 0)
        (void)snprintf(dead, sizeof dead, "&dead=%llu", (unsigned long long)question->dead);
    (void)snprintf(buf, len, "/member?kind=%s&id=%s&epoch=%llu%s%s",
                   member_kind_name(question->kind), id, (unsigned long long)question->epoch, dead,
                   question->leaving ? "&leaving=1" : "");
}

static bool query_u64(const struct http_request *request, const char *name, uint64_t *value)
{
    const char *text = http_query(request, name, 0);
    *value = 0;
    if (text == NULL)
        return true;
    if (text[0] == '\0' || strlen(text) > 20 || strspn(text, "0123456789") != strlen(text))
        return false;
    *value = strtoull(text, NULL, 10);
    return true;
}

/* Reads the query of REQUEST. NULL, or what is wrong with it. */
static const char *question_of(const struct http_request *request, struct member_question *question)
{
    const char *name = http_query(request, "kind", 0), *leaving = http_query(request, "leaving", 0);
    enum member_kind kind = name != NULL ? member_kind_of(name) : MEMBER_COMET;

    *question = (struct member_question){.id = http_query(request, "id", 0)};
    if (kind == MEMBER_KINDS)
        return "kind: comet, logic, router or job is wanted\n";
    if ((question->id == NULL) != (name == NULL))
        return "kind and id: both or none are wanted\n";
    if (!query_u64(request, "epoch", &question->epoch) ||
        !query_u64(request, "dead", &question->dead))
        return "epoch and dead: a decimal number is wanted\n";
    question->kind = kind;
    question->from = http_peer(request);
    question->says = http_method(request) == HTTP_POST;
    question->leaving = leaving != NULL && strcmp(leaving, "1") == 0;
    return NULL;
}

static void respond_record(const struct membership *membership, struct http_request *request)
{
    struct member_record record = {
        .kind = membership->kind,
        .state = membership->leaving   ? RECORD_LEAVING
                 : membership->holding ? RECORD_HELD
                                       : RECORD_SEEKING,
        .numbered = membership->kind == MEMBER_LOGIC && membership->numbered,
        .member = membership->self,
    };
    char *text = member_record_encode(&record);
    http_respond(request, 200, "application/json", text, strlen(text),
                 "Cache-Control: no-store\r\n");
    free(text);
}

static void refuse(struct http_request *request, int status, const char *why, const char *extra)
{
    http_respond(request, status, "text/plain; charset=utf-8", why, strlen(why), extra);
}

void membership_serve(struct membership *membership, struct http_request *request)
{
    struct member_question question;
    const char *why = question_of(request, &question);
    bool page = http_is_from_a_page(request);
    if (why != NULL) {
        refuse(request, 400, why, NULL);
        return;
    }
    if (question.says && question.dead == 0 && !question.leaving) {
        refuse(request, 405, "only GET and HEAD here, unless dead or leaving is said\n",
               "Allow: GET, HEAD\r\n");
        return;
    }
    if (question.says && page) {
        refuse(request, 403, "not from a web page\n", NULL);
        return;
    }
    if (membership == NULL) {
        refuse(request, 503, "not a member yet\n", NULL);
        return;
    }
    loop_assert_owner(membership->loop);
    /* A HEAD changes nothing. */
    if (membership->ops->heard != NULL && http_method(request) != HTTP_HEAD && !page)
        membership->ops->heard(membership, &question);
    respond_record(membership, request);
}
