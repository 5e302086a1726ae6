/* list.h - linked lists: the macros of <sys/queue.h>, and one more. The list's owner only.
 *
 *     STAILQ   a queue: first, last, one link an item         append, take the first, concatenate
 *     TAILQ    a queue with two links an item                 the same, and anybody may go
 *     LIST     two links, a head of one pointer               a set from which anybody may go
 *
 * We use glibc's macros rather than a list of our own. Heads and links are typed, so neither
 * container_of() nor casts are needed. They cost as much as links written by hand. Readers know
 * them from the BSDs, varnish and librdkafka.
 *
 * glibc has no loop in which the current item may be freed. Either take the first item until there
 * is none, or remember the next one before freeing. */
#ifndef IMC_COMMON_BASE_LIST_H
#define IMC_COMMON_BASE_LIST_H

#include <stddef.h>
#include <sys/queue.h>

/* Takes the first item out of the queue. NULL if the queue is empty. */
#define STAILQ_TAKE(head, field)                                    \
    __extension__({                                                 \
        __typeof__((head)->stqh_first) taken_ = STAILQ_FIRST(head); \
        if (taken_ != NULL)                                         \
            STAILQ_REMOVE_HEAD(head, field);                        \
        taken_;                                                     \
    })

/* The same of a TAILQ. */
#define TAILQ_TAKE(head, field)                                   \
    __extension__({                                               \
        __typeof__((head)->tqh_first) taken_ = TAILQ_FIRST(head); \
        if (taken_ != NULL)                                       \
            TAILQ_REMOVE(head, taken_, field);                    \
        taken_;                                                   \
    })

#endif
