/* list.h - linked lists: the macros of <sys/queue.h>, and one more. Any thread, as the list's
 * owner.
 *
 *     STAILQ   a queue: first, last, one link an item         append, take the first, concatenate
 *     LIST     two links, a head of one pointer               a set from which anybody may go
 *
 * glibc's, rather than a list of our own: heads and links are typed, so no container_of() and no
 * casts; they are the fields that one writes by hand, so they cost the same; and the names are
 * known from the BSDs, varnish and librdkafka. glibc's set has no walk that survives freeing the
 * item: take the first while there is one, or keep the next by hand. */
#ifndef IMC_COMMON_BASE_LIST_H
#define IMC_COMMON_BASE_LIST_H

#include <stddef.h>
#include <sys/queue.h>

/* The first item, taken out; NULL: the queue is empty. */
#define STAILQ_TAKE(head, field)                                    \
    __extension__({                                                 \
        __typeof__((head)->stqh_first) taken_ = STAILQ_FIRST(head); \
        if (taken_ != NULL)                                         \
            STAILQ_REMOVE_HEAD(head, field);                        \
        taken_;                                                     \
    })

#endif
