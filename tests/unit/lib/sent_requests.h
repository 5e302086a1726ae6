/* sent_requests.h - in place of comet's link to logic: keeps what is sent. Included once, by a test
 * that has its MOST before. */
#ifndef IMC_TESTS_UNIT_LIB_SENT_REQUESTS_H
#define IMC_TESTS_UNIT_LIB_SENT_REQUESTS_H

#include "comet/logic/logic_requests.h"
#include "common/base/mem.h"

static struct logic_request *sent[MOST];
static size_t n_sent, n_answered;

struct logic_request *logic_requests_new(struct logic_requests *link, enum logic_request_kind kind)
{
    struct logic_request *request = mem_zalloc(sizeof *request);

    (void)link;
    assert_int_equal(kind, REQUEST_SESSION_EVENT);
    request->kind = kind;
    return request;
}

void logic_requests_send(struct logic_requests *link, struct logic_request *request)
{
    (void)link;
    sent[n_sent++] = request;
}

#endif
