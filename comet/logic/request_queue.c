#include "comet/logic/request_queue.h"

int request_queue_expire(struct logic_request_queue *queue, struct logic_request_queue *expired,
                         uint64_t now)
{
    struct logic_request_queue all = STAILQ_HEAD_INITIALIZER(all);
    struct logic_request *request;
    int n = 0;

    STAILQ_CONCAT(&all, queue);
    while ((request = STAILQ_TAKE(&all, link)) != NULL) {
        bool undecided = request->kind == REQUEST_CONNECT && request->sent;
        bool late = request->deadline_ms != 0 && request->deadline_ms <= now && !undecided;
        STAILQ_INSERT_TAIL(late ? expired : queue, request, link);
        n += late;
    }
    return n;
}

void request_queue_put_back(struct logic_request_queue *queue, struct logic_request_queue *requests)
{
    STAILQ_CONCAT(requests, queue);
    STAILQ_CONCAT(queue, requests);
}

int request_queue_split(struct logic_request_queue *requests, struct logic_request_queue *connects)
{
    struct logic_request_queue all = STAILQ_HEAD_INITIALIZER(all);
    struct logic_request *request;
    int n = 0;

    STAILQ_CONCAT(&all, requests);
    while ((request = STAILQ_TAKE(&all, link)) != NULL) {
        bool connect = request->kind == REQUEST_CONNECT;
        STAILQ_INSERT_TAIL(connect ? connects : requests, request, link);
        n += connect;
    }
    return n;
}
