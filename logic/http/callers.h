/* callers.h - who calls the HTTP API, what he may, and how much. Main loop only.
 *
 *   request ─► a key of api.keys_file or api.keys? no key is set: local_callers.h ─► struct caller
 *                  scope? ─► not too fast, not too many at once? ─► the handler ─► callers_end()
 *
 * A caller is a key. Those who need none are one caller together, and so are all of the kinds
 * "loopback" and "trusted" while no key is set. */
#ifndef IMC_LOGIC_HTTP_CALLERS_H
#define IMC_LOGIC_HTTP_CALLERS_H

#include "common/auth/keys.h"
#include "common/base/exposition.h"
#include "logic/base/logic.h"

struct caller;
struct callers;
struct http_request;

enum { CALLERS_WHY_MAX = 160 };

/* Reads api.keys_file and api.keys of LOGIC's configuration. 0, or -EINVAL with ERR. LOGIC->local
 * has to be there. */
int callers_open(struct logic *logic, struct callers **out, char *err, size_t errlen);
/* NULL is fine. Requests that are not answered yet have no caller afterwards. */
void callers_close(struct callers *callers);
/* Reads the file anew. 0; or -EINVAL with ERR, and the keys that were there stay. */
int callers_reload(struct callers *callers, char *err, size_t errlen);
/* As callers_open(), for a configuration that is only checked. */
int callers_check(const struct logic_config *config, char *err, size_t errlen);
/* Is no key set? */
bool callers_have_no_key(const struct callers *callers);

/* Finds out who sent REQUEST, which counts as under way until callers_end(). NULL; or why nobody
 * known did. */
const char *callers_identify(struct callers *callers, struct http_request *request);
/* Takes REQUEST as one of those who need no key. */
void callers_take_stranger(struct callers *callers, struct http_request *request);
/* REQUEST is over. */
void callers_end(struct callers *callers, struct http_request *request);

/* The key that PRESENTED is, or that has DIGEST; NULL: none. Valid until keys are read anew. */
const struct key *callers_key_presented(const struct callers *callers, const char *presented);
const struct key *callers_key_of(const struct callers *callers,
                                 const uint8_t digest[KEY_DIGEST_LEN]);

/* Those below are for requests that were identified. */
/* "billing"; "nobody": it was not. */
const char *callers_name(const struct http_request *request);
/* The name under which its idempotency keys are told apart from others'. "" for all, if no key is
 * set: one client may reach logics from several addresses. */
const char *callers_scope(const struct callers *callers, const struct http_request *request);
bool callers_may(const struct http_request *request, enum key_scope scope);

/* What a key was refused, and why. */
struct caller_refusal {
    const char *key;         /* valid until keys are read anew */
    enum logic_metric cause; /* a row of imc_logic_refused_total */
    uint64_t total, lately;  /* LATELY: within SERIES_LATELY_S */
};
/* REQUEST is refused for CAUSE. Does nothing if it was not identified. */
void callers_refused(const struct callers *callers, const struct http_request *request,
                     enum logic_metric cause);
/* Fills OUT with at most N, those of the last minutes first. Returns how many. */
size_t callers_refusals(const struct callers *callers, struct caller_refusal *out, size_t n);

enum callers_limit {
    CALLERS_FINE,
    CALLERS_FULL,         /* too many requests in all */
    CALLERS_KEY_FULL,     /* too many of this caller */
    CALLERS_KEY_TOO_FAST, /* too many pushes of this caller */
};
/* Is REQUEST one too much? If so WHY says so, and *RETRY_S when to try again. PUSH: it is a
 * push. */
enum callers_limit callers_look(const struct callers *callers, const struct http_request *request,
                                bool push, char why[CALLERS_WHY_MAX], unsigned *retry_s);
/* Counts N messages that REQUEST pushes. A call that may begin may be of any size; the next one
 * waits for as long as it takes to make up for it. */
void callers_spend(const struct callers *callers, const struct http_request *request, size_t n);

/* How many messages were pushed with each key. */
extern const struct metric_row callers_pushed_row;
void callers_render(const struct callers *callers, struct exposition *to);

#endif
