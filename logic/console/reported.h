/* reported.h - what the daemons have told of themselves (common/daemon/report.h): the last hour of
 * each, its settings and conditions. Main loop only.
 *
 * Only members are listened to, so a peer cannot make up daemons. A daemon that is no member any
 * more stays for REPORTED_GONE_MS, so that the page shows when it was lost. */
#ifndef IMC_LOGIC_CONSOLE_REPORTED_H
#define IMC_LOGIC_CONSOLE_REPORTED_H

#include "common/auth/keys.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/daemon/series.h"
#include "common/membership/membership.h"
#include "proto/session.pb-c.h"

enum {
    REPORTED_MOST = 512, /* daemons: 75 kB each, and their settings. Further ones are not shown */
    REPORTED_GONE_MS = 3600000,
    REPORTED_SETTINGS = 512,
    REPORTED_REFUSALS = 192, /* of counters, and of keys */
    REPORTED_KEY_REFUSALS = 128,
    REPORTED_ROOMS = 100,
    REPORTED_CERTIFICATES = 16,
    REPORTED_NAME = 128,
    REPORTED_VALUE = 4096, /* of a setting; longer ones are cut */
    REPORTED_READY = 8192,
};

struct reported_setting {
    char *name, *value, *init;
    bool changed;
};

struct reported_refusal {
    char name[REPORTED_NAME], key[KEY_NAME_MAX]; /* KEY "": of no key */
    uint64_t total, lately;
};

struct reported_room {
    char *name;
    uint64_t pushes; /* within a minute */
};

struct reported_certificate {
    char *file;
    int64_t expires_s; /* Unix time */
};

struct reported {
    TAILQ_ENTRY(reported) link;
    enum member_kind kind;
    char id[64], version[32];
    uint64_t epoch, started_s, memory_limit;
    uint64_t heard_ms; /* loop time of the last report */
    uint64_t gone_ms;  /* loop time at which it was found to be no member; 0: it is one */
    bool is_self;
    char *ready; /* a line per condition */
    struct reported_setting *settings;
    size_t n_settings;
    struct reported_refusal *refusals;
    size_t n_refusals;
    struct reported_room rooms[REPORTED_ROOMS]; /* most pushes first */
    size_t n_rooms;
    struct reported_certificate certificates[REPORTED_CERTIFICATES]; /* the first to expire first */
    size_t n_certificates;
    struct series series;
};

TAILQ_HEAD(reporteds, reported);

struct reported_list {
    struct reporteds daemons; /* in the order in which they came */
    size_t n;
};

void reported_init(struct reported_list *list);
void reported_end(struct reported_list *list);
/* Takes a report of the member KIND, ID. NOW_MS: loop time. NULL: there are too many daemons. */
struct reported *reported_take(struct reported_list *list, enum member_kind kind,
                               const Imc__V1__ReportBatch *report, uint64_t now_ms,
                               uint64_t now_slot);
struct reported *reported_find(const struct reported_list *list, enum member_kind kind,
                               const char *id);
/* Marks those that are no members, and drops those that have been none for long. */
void reported_compare(struct reported_list *list, const struct membership *membership,
                      uint64_t now_ms);

#endif
