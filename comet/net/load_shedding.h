/* load_shedding.h - closes some of the connections that cost most, when memory is nearly used up.
 * Owner loop only. */
#ifndef IMC_COMET_NET_LOAD_SHEDDING_H
#define IMC_COMET_NET_LOAD_SHEDDING_H

struct worker;

void load_shedding_run(struct worker *worker);

#endif
