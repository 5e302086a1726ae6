/* load_shedding.h - memory is nearly used up: closes some of those who cost most. Owner loop only.
 */
#ifndef IMC_COMET_NET_LOAD_SHEDDING_H
#define IMC_COMET_NET_LOAD_SHEDDING_H

struct worker;

void load_shedding_run(struct worker *worker);

#endif
