#include "bench/check/seqcheck.h"

enum { WINDOW = 64 };

void seqcheck_init(struct seqcheck *check, int anywhere)
{
    *check = (struct seqcheck){.anywhere = anywhere != 0};
}

static enum seq_verdict take_behind(struct seqcheck *check, uint32_t number)
{
    uint32_t back = check->next - 1 - number;
    uint64_t bit;

    if (back >= WINDOW)
        return SEQ_TWICE;
    bit = UINT64_C(1) << back;
    if ((check->seen & bit) != 0)
        return SEQ_TWICE;
    check->seen |= bit;
    check->taken++;
    return SEQ_LATE;
}

enum seq_verdict seqcheck_take(struct seqcheck *check, uint32_t number)
{
    uint32_t ahead;

    if (number == check->next) {
        check->seen = check->seen << 1 | 1;
        check->next++;
        check->taken++;
        check->anywhere = 0;
        return SEQ_NEXT;
    }
    if (check->anywhere) {
        /* Earlier numbers are not for this receiver. If one comes later, it is out of order. */
        *check = (struct seqcheck){.seen = 1, .next = number + 1, .taken = 1};
        return SEQ_NEXT;
    }
    if (number < check->next)
        return take_behind(check, number);
    ahead = number - check->next + 1;
    check->seen = ahead >= WINDOW ? 1 : check->seen << ahead | 1;
    check->next = number + 1;
    check->taken++;
    return SEQ_GAP;
}
