#include "logic/http/callers.h"
#include "common/auth/presented.h"
#include "common/base/mem.h"
#include "common/base/saturate.h"
#include "common/base/time.h"
#include "common/http/http.h"
#include "logic/base/recent.h"
#include "logic/http/local_callers.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_US UINT64_C(1000000)

enum { CAUSES = LOGIC_REFUSED_MEMORY - LOGIC_REFUSED_PARAMETER + 1 }; /* of refusals */

static const char plain_name[] = "api.keys"; /* of all keys of that list */

struct caller {
    struct key key;
    size_t requests;   /* under way */
    uint64_t spent_us; /* by loop time: until then the pushes so far use up api.push_rate */
    int64_t pushed;    /* messages, since it was read first */
    struct recent refused[CAUSES]; /* in minutes */
    bool gone; /* its key was taken out of the file: freed with its last request */
};

struct callers {
    struct logic *logic;
    struct keys *keys;      /* NULL: none is set */
    struct caller **of_key; /* in the order of KEYS */
    struct caller loopback, trusted, stranger;
    size_t requests; /* under way, of all */
};

/* --- keys --- */

/* Reads what CONFIG names. 0 with the keys (NULL: there is none), or -EINVAL with ERR. */
static int read_keys(const struct logic_config *config, struct keys **out, char *err, size_t errlen)
{
    const unsigned all = KEY_PUSH | KEY_READ | KEY_ADMIN;
    struct keys *keys = keys_new();
    char why[KEYS_ERROR_MAX];
    int failed = keys_add_list(keys, config->api_keys, plain_name, all);

    if (failed != 0) {
        snprintf(err, errlen, "api.keys: more than %d keys", KEYS_MOST);
    } else if (config->api_keys_file[0] != '\0') {
        failed = keys_read(keys, config->api_keys_file, why, sizeof why);
        if (failed != 0)
            snprintf(err, errlen, "api.keys_file: %s", why);
    }
    if (failed != 0 || keys_count(keys) == 0) {
        keys_free(keys);
        keys = NULL;
    }
    if (failed == 0)
        *out = keys;
    return failed != 0 ? -EINVAL : 0;
}

int callers_check(const struct logic_config *config, char *err, size_t errlen)
{
    struct keys *keys = NULL;
    int failed = read_keys(config, &keys, err, errlen);

    keys_free(keys);
    return failed;
}

/* Takes the caller with the digest of KEY out of the old ones, or makes a new one. So what a key
 * has used up stays when the file is read anew. */
static struct caller *take_caller(struct caller **old, size_t n, const struct key *key)
{
    struct caller *caller = NULL;

    for (size_t i = 0; i < n && caller == NULL; i++) {
        if (old[i] != NULL && memcmp(old[i]->key.digest, key->digest, KEY_DIGEST_LEN) == 0) {
            caller = old[i];
            old[i] = NULL;
        }
    }
    if (caller == NULL)
        caller = mem_zalloc(sizeof *caller);
    caller->key = *key;
    return caller;
}

static void drop_caller(struct caller *caller)
{
    if (caller == NULL)
        return;
    caller->gone = true;
    if (caller->requests == 0)
        free(caller);
}

/* Takes over KEYS, which may be NULL. */
static void use_keys(struct callers *callers, struct keys *keys)
{
    size_t n = keys != NULL ? keys_count(keys) : 0;
    size_t n_old = callers->keys != NULL ? keys_count(callers->keys) : 0;
    struct caller **old = callers->of_key;

    callers->of_key = mem_alloc((n + 1) * sizeof(struct caller *));
    for (size_t i = 0; i < n; i++)
        callers->of_key[i] = take_caller(old, n_old, keys_at(keys, i));
    for (size_t i = 0; i < n_old; i++)
        drop_caller(old[i]);
    free(old);
    keys_free(callers->keys);
    callers->keys = keys;
}

int callers_reload(struct callers *callers, char *err, size_t errlen)
{
    struct keys *keys = NULL;
    int failed = read_keys(callers->logic->config, &keys, err, errlen);

    if (failed == 0)
        use_keys(callers, keys);
    return failed;
}

static void name_caller(struct caller *caller, const char *name, unsigned scopes)
{
    snprintf(caller->key.name, sizeof caller->key.name, "%s", name);
    caller->key.scopes = scopes;
}

int callers_open(struct logic *logic, struct callers **out, char *err, size_t errlen)
{
    struct callers *callers = mem_zalloc(sizeof *callers);

    callers->logic = logic;
    name_caller(&callers->loopback, "loopback", KEY_ADMIN);
    name_caller(&callers->trusted, "trusted", KEY_ADMIN);
    name_caller(&callers->stranger, "anybody", 0);
    int failed = callers_reload(callers, err, errlen);
    if (failed != 0)
        free(callers);
    else
        *out = callers;
    return failed;
}

void callers_close(struct callers *callers)
{
    if (callers == NULL)
        return;
    for (size_t i = 0; callers->keys != NULL && i < keys_count(callers->keys); i++)
        free(callers->of_key[i]);
    keys_free(callers->keys);
    free(callers->of_key);
    free(callers);
}

bool callers_have_no_key(const struct callers *callers)
{
    return callers->keys == NULL;
}

/* --- who --- */

static void begin(struct callers *callers, struct http_request *request, struct caller *caller)
{
    caller->requests++;
    callers->requests++;
    http_set_context(request, caller);
}

const struct key *callers_key_presented(const struct callers *callers, const char *presented)
{
    ssize_t index = callers->keys != NULL ? keys_find(callers->keys, presented) : -1;

    return index >= 0 ? keys_at(callers->keys, (size_t)index) : NULL;
}

const struct key *callers_key_of(const struct callers *callers,
                                 const uint8_t digest[KEY_DIGEST_LEN])
{
    ssize_t index = callers->keys != NULL ? keys_find_digest(callers->keys, digest) : -1;

    return index >= 0 ? keys_at(callers->keys, (size_t)index) : NULL;
}

/* The number of the key that REQUEST presents, or with which its sender has logged in at the
 * console; -1: none, for the reason WHY. */
static ssize_t key_of_request(const struct callers *callers, const struct http_request *request,
                              const char **why)
{
    struct logic *logic = callers->logic;
    const char *presented = presented_key(request);
    ssize_t index = presented != NULL ? keys_find(callers->keys, presented) : -1;

    *why = "wrong key";
    if (presented != NULL)
        return index;
    *why = NULL;
    const uint8_t *digest = logic->logged_in != NULL ? logic->logged_in(logic, request, why) : NULL;
    if (digest == NULL && *why == NULL)
        *why = "key missing: send Authorization: Bearer KEY, or X-API-Key: KEY";
    else if (digest != NULL)
        *why = "the key of this login was taken back";
    return digest != NULL ? keys_find_digest(callers->keys, digest) : -1;
}

const char *callers_identify(struct callers *callers, struct http_request *request)
{
    const struct local_callers *local = callers->logic->local;

    if (callers->keys == NULL) {
        const char *why = local_callers_refusal(local, request);
        if (why == NULL)
            begin(callers, request,
                  local_callers_is_loopback(http_peer(request)) ? &callers->loopback
                                                                : &callers->trusted);
        return why;
    }
    const char *why = NULL;
    ssize_t index = key_of_request(callers, request, &why);
    if (index < 0)
        return why;
    begin(callers, request, callers->of_key[index]);
    return NULL;
}

void callers_take_stranger(struct callers *callers, struct http_request *request)
{
    begin(callers, request, &callers->stranger);
}

void callers_end(struct callers *callers, struct http_request *request)
{
    struct caller *caller = http_context(request);

    if (caller == NULL)
        return;
    http_set_context(request, NULL);
    assert(caller->requests > 0 && callers->requests > 0);
    callers->requests--;
    if (--caller->requests == 0 && caller->gone)
        free(caller);
}

const char *callers_name(const struct http_request *request)
{
    const struct caller *caller = http_context(request);

    return caller != NULL ? caller->key.name : "nobody";
}

const char *callers_scope(const struct callers *callers, const struct http_request *request)
{
    return callers_have_no_key(callers) ? "" : callers_name(request);
}

bool callers_may(const struct http_request *request, enum key_scope scope)
{
    const struct caller *caller = http_context(request);

    return key_may(&caller->key, scope);
}

/* --- what was refused --- */

/* As common/daemon/metering.h has them, so that both tell of the same time. */
static uint64_t minute(void)
{
    return time_unix_ms() / 60000;
}

void callers_refused(const struct callers *callers, const struct http_request *request,
                     enum logic_metric cause)
{
    struct caller *caller = http_context(request);

    if (caller != NULL && caller != &callers->stranger)
        recent_add(&caller->refused[cause - LOGIC_REFUSED_PARAMETER], minute(), 1);
}

/* Adds those of CALLER: what is over as WANT_OLD says. Returns how many there are then. */
static size_t add_refusals(const struct caller *caller, bool want_old, struct caller_refusal *out,
                           size_t at, size_t n)
{
    for (int i = 0; i < CAUSES && at < n; i++) {
        const struct recent *recent = &caller->refused[i];
        uint64_t lately = recent_count(recent, minute(), SERIES_LATELY_S / 60 + 1);
        if (recent->total > 0 && (lately == 0) == want_old)
            out[at++] = (struct caller_refusal){caller->key.name,
                                                (enum logic_metric)(LOGIC_REFUSED_PARAMETER + i),
                                                recent->total, lately};
    }
    return at;
}

size_t callers_refusals(const struct callers *callers, struct caller_refusal *out, size_t n)
{
    size_t keys = callers->keys != NULL ? keys_count(callers->keys) : 0, at = 0;

    for (int old = 0; old < 2; old++) {
        for (size_t i = 0; i < keys; i++)
            at = add_refusals(callers->of_key[i], old != 0, out, at, n);
        at = add_refusals(&callers->loopback, old != 0, out, at, n);
        at = add_refusals(&callers->trusted, old != 0, out, at, n);
    }
    return at;
}

/* --- how much --- */

static uint64_t now_us(const struct callers *callers)
{
    return loop_now_ms(callers->logic->loop) * 1000;
}

/* Microseconds until CALLER may push again; 0: now. The pushes of a second may come at once. */
static uint64_t wait_us(const struct callers *callers, const struct caller *caller)
{
    uint64_t rate = (uint64_t)callers->logic->config->api_push_rate;

    return rate == 0
               ? 0
               : saturate_sub(caller->spent_us + SECOND_US / rate, now_us(callers) + SECOND_US);
}

void callers_spend(const struct callers *callers, const struct http_request *request, size_t n)
{
    struct caller *caller = http_context(request);
    uint64_t rate = (uint64_t)callers->logic->config->api_push_rate, now = now_us(callers);

    if (caller == NULL)
        return;
    caller->pushed += (int64_t)n;
    if (rate == 0)
        return;
    if (caller->spent_us < now)
        caller->spent_us = now;
    caller->spent_us += (uint64_t)n * SECOND_US / rate;
}

enum callers_limit callers_look(const struct callers *callers, const struct http_request *request,
                                bool push, char why[CALLERS_WHY_MAX], unsigned *retry_s)
{
    const struct logic_config *config = callers->logic->config;
    const struct caller *caller = http_context(request);
    int64_t most = config->api_max_requests, most_of_key = config->api_max_key_requests;
    uint64_t wait = push ? wait_us(callers, caller) : 0;

    *retry_s = 1;
    if (callers->requests > (size_t)most) {
        snprintf(why, CALLERS_WHY_MAX, "%lld requests are under way (api.max_requests): try again",
                 (long long)most);
        return CALLERS_FULL;
    }
    if (most_of_key > 0 && caller != &callers->stranger && caller->requests > (size_t)most_of_key) {
        snprintf(why, CALLERS_WHY_MAX,
                 "%lld requests of this key are under way (api.max_key_requests): try again",
                 (long long)most_of_key);
        return CALLERS_KEY_FULL;
    }
    if (wait == 0)
        return CALLERS_FINE;
    *retry_s = (unsigned)((wait + SECOND_US - 1) / SECOND_US);
    snprintf(why, CALLERS_WHY_MAX,
             "this key pushes more than %lld messages a second (api.push_rate): push later",
             (long long)config->api_push_rate);
    return CALLERS_KEY_TOO_FAST;
}

/* --- metrics --- */

const struct metric_row callers_pushed_row = {
    .name = "imc_logic_key_messages_total",
    .labels = "key=\"…\"",
    .type = METRIC_COUNTER,
    .help = "Messages that were pushed with an API key, by its name; loopback and trusted: without "
            "one. If pushes of all get slow, its rate says who pushes most: see api.push_rate.",
};

static int by_name(const void *left, const void *right)
{
    const struct caller *const *a = left, *const *b = right;

    return strcmp((*a)->key.name, (*b)->key.name);
}

static void render_name(const char *name, int64_t pushed, struct exposition *to)
{
    char labels[KEY_NAME_MAX + 8]; /* a name has nothing to be escaped: key_name_is_fine() */

    snprintf(labels, sizeof labels, "key=\"%s\"", name);
    exposition_int(to, &callers_pushed_row, labels, pushed);
}

void callers_render(const struct callers *callers, struct exposition *to)
{
    size_t keys = callers != NULL && callers->keys != NULL ? keys_count(callers->keys) : 0, n = 0;
    const struct caller **all = mem_alloc((keys + 2) * sizeof(struct caller *));
    int64_t pushed = 0;

    for (size_t i = 0; i < keys; i++)
        all[n++] = callers->of_key[i];
    if (callers != NULL && keys == 0) {
        all[n++] = &callers->loopback;
        all[n++] = &callers->trusted;
    }
    qsort(all, n, sizeof(struct caller *), by_name);
    for (size_t i = 0; i < n; i++) { /* keys may share a name */
        pushed += all[i]->pushed;
        if (i + 1 < n && by_name(&all[i], &all[i + 1]) == 0)
            continue;
        if (pushed > 0)
            render_name(all[i]->key.name, pushed, to);
        pushed = 0;
    }
    free(all);
}
