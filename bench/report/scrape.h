/* scrape.h - reads the comets' own counters from their admin listeners. Blocks, at most a second
 * per comet. */
#ifndef IMC_BENCH_REPORT_SCRAPE_H
#define IMC_BENCH_REPORT_SCRAPE_H

#include <stddef.h>

struct scrape {
    double writes, write_bytes, walks, deliveries, spilled, queued_bytes, kicked, sessions;
};

/* OUT gets the sums over ADMINS (host:port,host:port). 0, or -E… with ERR filled and OUT
 * untouched. */
int scrape_comets(const char *admins, struct scrape *out, char *err, size_t errlen);
/* Adds the TEXT of one metrics page to SUM. */
void scrape_text(const char *text, struct scrape *sum);

#endif
