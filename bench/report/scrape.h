/* scrape.h - the comets' own counters, from their admin listeners. Blocks, a second at most per
 * comet. */
#ifndef IMC_BENCH_REPORT_SCRAPE_H
#define IMC_BENCH_REPORT_SCRAPE_H

#include <stddef.h>

struct scrape {
    double writes, write_bytes, walks, deliveries, spilled, queued_bytes, kicked, sessions;
};

/* Sums over ADMINS (host:port,host:port). 0, or -E… with ERR filled; OUT is untouched then. */
int scrape_comets(const char *admins, struct scrape *out, char *err, size_t errlen);
/* One metrics page's text, into SUM. */
void scrape_text(const char *text, struct scrape *sum);

#endif
