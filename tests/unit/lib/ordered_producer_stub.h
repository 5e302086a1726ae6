/* ordered_producer_stub.h - of a producer what no test looks at. The test itself has what takes
 * messages. Included once, by a test. */
#ifndef IMC_TESTS_UNIT_LIB_ORDERED_PRODUCER_STUB_H
#define IMC_TESTS_UNIT_LIB_ORDERED_PRODUCER_STUB_H

#include "common/kafka/ordered_producer.h"

int ordered_producer_open(const struct ordered_options *options, struct ordered_producer **out)
{
    (void)options, (void)out;
    fail();
    return 0;
}

size_t ordered_producer_waiting(const struct ordered_producer *producer)
{
    (void)producer;
    return 0;
}

void ordered_producer_close(struct ordered_producer *producer)
{
    (void)producer;
}

#endif
