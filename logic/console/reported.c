#include "logic/console/reported.h"
#include "common/protocol/name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void reported_init(struct reported_list *list)
{
    *list = (struct reported_list){0};
    TAILQ_INIT(&list->daemons);
}

static void free_settings(struct reported *daemon)
{
    for (size_t i = 0; i < daemon->n_settings; i++) {
        free(daemon->settings[i].name);
        free(daemon->settings[i].value);
        free(daemon->settings[i].init);
    }
    free(daemon->settings);
    daemon->settings = NULL;
    daemon->n_settings = 0;
}

static void free_rooms(struct reported *daemon)
{
    for (size_t i = 0; i < daemon->n_rooms; i++)
        free(daemon->rooms[i].name);
    daemon->n_rooms = 0;
}

static void free_certificates(struct reported *daemon)
{
    for (size_t i = 0; i < daemon->n_certificates; i++)
        free(daemon->certificates[i].file);
    daemon->n_certificates = 0;
}

static void drop(struct reported_list *list, struct reported *daemon)
{
    TAILQ_REMOVE(&list->daemons, daemon, link);
    list->n--;
    free_settings(daemon);
    free_rooms(daemon);
    free_certificates(daemon);
    free(daemon->refusals);
    free(daemon->ready);
    free(daemon);
}

void reported_end(struct reported_list *list)
{
    struct reported *daemon, *next;

    for (daemon = TAILQ_FIRST(&list->daemons); daemon != NULL; daemon = next) {
        next = TAILQ_NEXT(daemon, link);
        drop(list, daemon);
    }
}

struct reported *reported_find(const struct reported_list *list, enum member_kind kind,
                               const char *id)
{
    struct reported *daemon;

    TAILQ_FOREACH(daemon, &list->daemons, link) {
        if (daemon->kind == kind && strcmp(daemon->id, id) == 0)
            return daemon;
    }
    return NULL;
}

void reported_compare(struct reported_list *list, const struct membership *membership,
                      uint64_t now_ms)
{
    struct reported *daemon, *next;

    for (daemon = TAILQ_FIRST(&list->daemons); daemon != NULL; daemon = next) {
        next = TAILQ_NEXT(daemon, link);
        if (membership_find(membership, daemon->kind, daemon->id) != NULL)
            daemon->gone_ms = 0;
        else if (daemon->gone_ms == 0)
            daemon->gone_ms = now_ms;
        else if (now_ms - daemon->gone_ms > REPORTED_GONE_MS)
            drop(list, daemon);
    }
}

/* --- a report --- */

static char *cut_copy(const char *text, size_t most)
{
    size_t len = strnlen(text, most);
    char *copy = mem_alloc(len + 1);

    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

static void take_settings(struct reported *daemon, const Imc__V1__ReportBatch *report)
{
    size_t n = report->n_settings < REPORTED_SETTINGS ? report->n_settings : REPORTED_SETTINGS;

    if (n == 0)
        return;
    free_settings(daemon);
    daemon->settings = mem_alloc(n * sizeof *daemon->settings);
    daemon->n_settings = n;
    for (size_t i = 0; i < n; i++) {
        const Imc__V1__ReportSetting *in = report->settings[i];
        daemon->settings[i] = (struct reported_setting){
            cut_copy(in->name, REPORTED_NAME), cut_copy(in->value, REPORTED_VALUE),
            cut_copy(in->init, REPORTED_VALUE), in->changed};
    }
}

static void take_refusals(struct reported *daemon, const Imc__V1__ReportBatch *report)
{
    size_t n = report->n_refusals < REPORTED_REFUSALS ? report->n_refusals : REPORTED_REFUSALS;

    free(daemon->refusals);
    daemon->refusals = mem_zalloc((n + 1) * sizeof *daemon->refusals);
    daemon->n_refusals = n;
    for (size_t i = 0; i < n; i++) {
        struct reported_refusal *out = &daemon->refusals[i];
        snprintf(out->name, sizeof out->name, "%s", report->refusals[i]->name);
        snprintf(out->key, sizeof out->key, "%s", report->refusals[i]->key);
        out->total = report->refusals[i]->total;
        out->lately = report->refusals[i]->lately;
    }
}

static void take_rooms(struct reported *daemon, const Imc__V1__ReportBatch *report)
{
    size_t n = report->n_rooms < REPORTED_ROOMS ? report->n_rooms : REPORTED_ROOMS;

    free_rooms(daemon);
    for (size_t i = 0; i < n; i++)
        daemon->rooms[i] = (struct reported_room){cut_copy(report->rooms[i]->room, ROOM_NAME_MAX),
                                                  report->rooms[i]->pushes};
    daemon->n_rooms = n;
}

static void take_certificates(struct reported *daemon, const Imc__V1__ReportBatch *report)
{
    size_t n = report->n_certificates < REPORTED_CERTIFICATES ? report->n_certificates
                                                              : REPORTED_CERTIFICATES;

    free_certificates(daemon);
    for (size_t i = 0; i < n; i++)
        daemon->certificates[i] =
            (struct reported_certificate){cut_copy(report->certificates[i]->file, REPORTED_VALUE),
                                          report->certificates[i]->expires_s};
    daemon->n_certificates = n;
}

/* A sample from the future would push the others out of the ring. */
static void take_samples(struct reported *daemon, const Imc__V1__ReportBatch *report,
                         uint64_t now_slot)
{
    enum { AHEAD = 12 }; /* slots, a minute: so far clocks may be apart */
    struct series_sample sample;

    for (size_t i = 0; i < report->n_samples; i++) {
        const Imc__V1__ReportSample *in = report->samples[i];
        size_t n = in->n_values < SERIES_COUNT ? in->n_values : SERIES_COUNT;
        if (in->slot > now_slot + AHEAD)
            continue;
        sample = (struct series_sample){.slot = in->slot};
        if (n > 0)
            memcpy(sample.values, in->values, n * sizeof sample.values[0]);
        series_put(&daemon->series, &sample);
    }
}

struct reported *reported_take(struct reported_list *list, enum member_kind kind,
                               const Imc__V1__ReportBatch *report, uint64_t now_ms,
                               uint64_t now_slot)
{
    struct reported *daemon = reported_find(list, kind, report->id);

    if (daemon == NULL && list->n == REPORTED_MOST)
        return NULL;
    if (daemon == NULL) {
        daemon = mem_zalloc(sizeof *daemon);
        daemon->kind = kind;
        snprintf(daemon->id, sizeof daemon->id, "%s", report->id);
        TAILQ_INSERT_TAIL(&list->daemons, daemon, link);
        list->n++;
    }
    snprintf(daemon->version, sizeof daemon->version, "%s", report->version);
    daemon->epoch = report->epoch;
    daemon->started_s = report->started_s;
    daemon->memory_limit = report->memory_limit;
    daemon->heard_ms = now_ms;
    daemon->gone_ms = 0;
    free(daemon->ready);
    daemon->ready = cut_copy(report->ready, REPORTED_READY);
    take_settings(daemon, report);
    take_refusals(daemon, report);
    take_rooms(daemon, report);
    take_certificates(daemon, report);
    take_samples(daemon, report, now_slot);
    return daemon;
}
