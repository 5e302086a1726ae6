#include "logic/jwt/verifier.h"
#include "common/base/file.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "logic/jwt/jwks.h"
#include "logic/jwt/jwks_fetch.h"
#include "logic/jwt/token.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

enum {
    TRIES = 4, /* keys that are tried for a token which does not name one */
    WORK = 16, /* tokens that a thread verifies before it tells of them */
    SECOND = 1000,
};

struct jwt_task {
    STAILQ_ENTRY(jwt_task) link;
    struct jwt_ask ask;
    struct jwt_keys *keys; /* keeps those of TRIED */
    const struct jwt_key *tried[TRIES];
    size_t n;
    struct jwt_token token;
    bool parked;      /* it has waited for a fetch of keys */
    uint64_t late_ms; /* loop time: nobody waits for the answer any longer */
    int err;
    const char *why;
    enum logic_metric metric;
    char text[]; /* the token */
};
STAILQ_HEAD(jwt_tasks, jwt_task);

/* What a thread has to do. */
struct jwt_work {
    uv_work_t request;
    struct jwts *jwts;
    struct jwt_tasks tasks;
};

struct jwts {
    struct logic *logic;
    struct jwt_rules rules;
    bool allowed[JWT_ALGORITHMS];
    struct jwt_keys *files;   /* of jwt.keys and jwt.jwks */
    struct jwt_keys *fetched; /* of jwt.jwks_url; NULL: none yet */
    struct jwt_keys *keys;    /* both */
    struct jwks_fetch *fetch; /* NULL: jwt.jwks_url is empty */
    struct jwt_tasks waiting; /* for a thread */
    size_t n_waiting;
    struct jwt_tasks parked; /* for keys that are being fetched */
    size_t n_parked;
    struct jwt_tasks ready; /* for FN */
    struct loop_task finish;
    size_t works; /* under way */
    bool closed;
};

/* --- settings --- */

/* Calls FN for each item of a list; stops at the first that fails. */
static int each(const char *list, int (*fn)(void *arg, const char *item, struct jwt_why *why),
                void *arg, struct jwt_why *why)
{
    int failed = 0;

    for (const char *at = list, *next; *at != '\0' && failed == 0; at = next) {
        size_t len = strcspn(at, ","), lead = strspn(at, " ");
        next = at + len + (at[len] == ',');
        while (len > lead && at[len - 1] == ' ')
            len--;
        char *item = mem_strndup(at + (lead < len ? lead : len), lead < len ? len - lead : 0);
        failed = fn(arg, item, why);
        free(item);
    }
    return failed;
}

static int allow(void *arg, const char *item, struct jwt_why *why)
{
    bool *allowed = arg;
    int algorithm = jwt_algorithm_of(item, strlen(item));

    if (algorithm < 0) {
        snprintf(why->text, sizeof why->text,
                 "%.40s is none of HS256, HS384, HS512, RS256, PS256, ES256, EdDSA", item);
        return -EINVAL;
    }
    allowed[algorithm] = true;
    return 0;
}

static int read_rules(const struct logic_config *config, struct jwt_rules *rules, bool *allowed,
                      char *err, size_t errlen)
{
    struct jwt_why why;

    if (each(config->jwt_algorithms, allow, allowed, &why) != 0) {
        snprintf(err, errlen, "jwt.algorithms: %s", why.text);
        return -EINVAL;
    }
    *rules = (struct jwt_rules){
        .issuer = config->jwt_issuer,
        .audience = config->jwt_audience,
        .leeway_s = config->jwt_leeway_ms / SECOND,
        .require_exp = config->jwt_require_exp,
    };
    if (jwt_rules_names(rules, config->jwt_claims, &why) == 0)
        return 0;
    snprintf(err, errlen, "jwt.claims: %s", why.text);
    return -EINVAL;
}

int jwts_check(const struct logic_config *config, char *err, size_t errlen)
{
    bool allowed[JWT_ALGORITHMS] = {false};
    struct jwt_rules rules;

    int failed = read_rules(config, &rules, allowed, err, errlen);
    return failed != 0 ? failed : jwks_fetch_check(config, err, errlen);
}

/* --- keys --- */

static int add_entry(void *arg, const char *item, struct jwt_why *why)
{
    return jwt_keys_add_entry(arg, item, why);
}

static int add_jwks_file(struct jwt_keys *keys, const char *file, struct jwt_why *why)
{
    size_t skipped = 0;
    char *text;
    ssize_t len = file_read(file, JWKS_MAX, &text);

    if (len < 0) {
        snprintf(why->text, sizeof why->text, "cannot read %.80s: %s", file,
                 len == -EFBIG ? "longer than 256 KiB" : uv_strerror((int)len));
        return (int)len;
    }
    int failed = jwks_add(keys, text, (size_t)len, &skipped, why);
    mem_wiped_free(text, (size_t)len);
    if (failed == 0 && skipped > 0)
        log_info("keys are for others", "setting=jwt.jwks keys=%zu skipped=%zu", keys->n, skipped);
    return failed;
}

/* NULL: ERR says why. */
static struct jwt_keys *read_files(const struct logic_config *config, char *err, size_t errlen)
{
    struct jwt_keys *keys = jwt_keys_new();
    struct jwt_why why;
    const char *setting = "jwt.keys";
    int failed = each(config->jwt_keys, add_entry, keys, &why);

    if (failed == 0 && config->jwt_jwks[0] != '\0') {
        setting = "jwt.jwks";
        failed = add_jwks_file(keys, config->jwt_jwks, &why);
    }
    if (failed == 0)
        return keys;
    snprintf(err, errlen, "%s: %s", setting, why.text);
    jwt_keys_unref(keys);
    return NULL;
}

/* Takes over FILES and FETCHED, which may be NULL. -E2BIG: they are too many together; then nothing
 * is taken, nor changed. */
static int take_keys(struct jwts *jwts, struct jwt_keys *files, struct jwt_keys *fetched)
{
    struct jwt_keys *keys = jwt_keys_new();

    if (!jwt_keys_join(keys, files) || (fetched != NULL && !jwt_keys_join(keys, fetched))) {
        jwt_keys_unref(keys);
        return -E2BIG;
    }
    if (files != jwts->files)
        jwt_keys_unref(jwts->files);
    if (fetched != jwts->fetched)
        jwt_keys_unref(jwts->fetched);
    jwt_keys_unref(jwts->keys);
    jwts->files = files;
    jwts->fetched = fetched;
    jwts->keys = keys;
    metric_set(jwts->logic->counters, LOGIC_JWT_KEYS, (int64_t)keys->n);
    return 0;
}

int jwts_reload(struct jwts *jwts, char *err, size_t errlen)
{
    struct jwt_keys *files = read_files(jwts->logic->config, err, errlen);

    loop_assert_owner(jwts->logic->loop);
    if (files == NULL)
        return -EINVAL;
    if (take_keys(jwts, files, jwts->fetched) != 0) {
        jwt_keys_unref(files);
        snprintf(err, errlen, "jwt: more than %d keys, with those of jwt.jwks_url", JWT_KEYS_MAX);
        return -E2BIG;
    }
    if (jwts->fetch != NULL)
        (void)jwks_fetch_ask(jwts->fetch);
    return 0;
}

/* --- the threads --- */

/* On a thread of the pool. Touches nothing but the tasks and their keys. */
static void on_work(uv_work_t *request)
{
    const struct jwt_work *work = request->data;
    struct jwt_task *task;

    STAILQ_FOREACH(task, &work->tasks, link) {
        const struct jwt_token *token = &task->token;
        const struct jwt_signed what = {token->algorithm, task->text, token->signed_len,
                                        token->signature, token->signature_len};
        for (size_t i = 0; i < task->n && task->err != 0; i++)
            task->err = jwt_signature_fits(&what, task->tried[i]) ? 0 : -ENOENT;
    }
}

static void works_start(struct jwts *jwts);

static void finish_soon(struct jwts *jwts)
{
    loop_defer(jwts->logic->loop, &jwts->finish);
}

static void jwts_free(struct jwts *jwts)
{
    jwt_keys_unref(jwts->files);
    jwt_keys_unref(jwts->fetched);
    jwt_keys_unref(jwts->keys);
    free(jwts);
}

static void on_worked(uv_work_t *request, int status)
{
    struct jwt_work *work = request->data;
    struct jwts *jwts = work->jwts;

    (void)status; /* never cancelled */
    STAILQ_CONCAT(&jwts->ready, &work->tasks);
    free(work);
    jwts->works--;
    works_start(jwts);
    finish_soon(jwts);
}

static void task_fail(struct jwt_task *task, int err, const char *why, enum logic_metric metric)
{
    task->err = err;
    task->why = why;
    task->metric = metric;
}

/* Takes tasks that somebody still waits for. */
static void work_fill(struct jwts *jwts, struct jwt_work *work)
{
    uint64_t now = loop_now_ms(jwts->logic->loop);
    struct jwt_task *task;

    for (size_t n = 0; n < WORK && (task = STAILQ_TAKE(&jwts->waiting, link)) != NULL;) {
        jwts->n_waiting--;
        if (task->late_ms > now && !jwts->closed) {
            STAILQ_INSERT_TAIL(&work->tasks, task, link);
            n++;
            continue;
        }
        task_fail(task, -EBUSY, "too many tokens are being verified, try again", LOGIC_JWT_BUSY);
        STAILQ_INSERT_TAIL(&jwts->ready, task, link);
        finish_soon(jwts);
    }
    metric_set(jwts->logic->counters, LOGIC_JWT_WAITING, (int64_t)jwts->n_waiting);
}

static void works_start(struct jwts *jwts)
{
    while (jwts->works < (size_t)jwts->logic->config->jwt_threads &&
           !STAILQ_EMPTY(&jwts->waiting)) {
        struct jwt_work *work = mem_zalloc(sizeof *work);
        work->request.data = work;
        work->jwts = jwts;
        STAILQ_INIT(&work->tasks);
        work_fill(jwts, work);
        if (STAILQ_EMPTY(&work->tasks)) {
            free(work);
            continue;
        }
        jwts->works++;
        uv_queue_work(&jwts->logic->loop->uv, &work->request, on_work, on_worked);
    }
}

/* --- the end --- */

/* The signature is good: what does the token say? */
static void task_claims(struct jwts *jwts, struct jwt_task *task, struct jwt_claims *claims)
{
    json_t *object = jwt_token_claims(&task->token, &task->why);
    int64_t now_s = (int64_t)(logic_now_ms(jwts->logic) / SECOND);
    uint8_t digest[EVP_MAX_MD_SIZE];
    int failed = object == NULL ? -EBADMSG
                                : jwt_claims_read(object, &jwts->rules, now_s, claims, &task->why);

    json_decref(object);
    if (failed != 0)
        task_fail(task, -ENOENT, task->why,
                  failed == -EKEYEXPIRED ? LOGIC_JWT_EXPIRED : LOGIC_JWT_CLAIMS);
    else
        task->metric = LOGIC_JWT_GOOD;
    /* Without the signature: whoever has one of ES256 can make a second that fits as well. */
    EVP_Digest(task->text, task->token.signed_len, digest, NULL, EVP_sha256(), NULL);
    memcpy(claims->hash, digest, JWT_HASH);
}

static void task_end(struct jwts *jwts, struct jwt_task *task)
{
    struct jwt_claims claims;

    if (task->err == 0)
        task_claims(jwts, task, &claims);
    logic_count(jwts->logic, task->metric, 1);
    task->ask.fn(task->ask.arg, task->ask.index, task->err, task->err == 0 ? &claims : NULL,
                 task->why);
    if (task->keys != NULL)
        jwt_keys_unref(task->keys);
    OPENSSL_cleanse(&claims, sizeof claims);
    mem_wiped_free(task, sizeof *task + task->ask.len);
}

static void on_finish(struct loop *loop, struct loop_task *loop_task)
{
    struct jwts *jwts = container_of(loop_task, struct jwts, finish);
    struct jwt_tasks ready = STAILQ_HEAD_INITIALIZER(ready);
    struct jwt_task *task;

    (void)loop;
    STAILQ_CONCAT(&ready, &jwts->ready);
    while ((task = STAILQ_TAKE(&ready, link)) != NULL)
        task_end(jwts, task);
    if (jwts->closed && jwts->works == 0 && STAILQ_EMPTY(&jwts->ready) && !jwts->finish.queued)
        jwts_free(jwts);
}

/* --- asking --- */

enum begun { BEGUN_VERIFIED, BEGUN_PARKED, BEGUN_FAILED };

static enum begun fail_key(struct jwt_task *task)
{
    task_fail(task, -ENOENT, "token: no key here for its algorithm and key name (alg, kid)",
              LOGIC_JWT_KEY);
    return BEGUN_FAILED;
}

static enum begun fail_away(struct jwt_task *task)
{
    task_fail(task, -EBUSY, "the keys of tokens cannot be fetched now, try again", LOGIC_JWT_AWAY);
    return BEGUN_FAILED;
}

/* No key here fits. Perhaps the issuer has a new one: KNOWN is false if the token names a key that
 * is not here. */
static enum begun task_lacks_key(struct jwts *jwts, struct jwt_task *task, bool known)
{
    if (jwts->fetch == NULL || (known && jwts->fetched != NULL))
        return fail_key(task);
    if (!task->parked && jwks_fetch_ask(jwts->fetch))
        return BEGUN_PARKED;
    return jwks_fetch_is_good(jwts->fetch) ? fail_key(task) : fail_away(task);
}

/* Chooses keys to try. */
static enum begun task_choose(struct jwts *jwts, struct jwt_task *task)
{
    const struct jwt_token *token = &task->token;
    bool known = true;

    if (!jwts->allowed[token->algorithm])
        return fail_key(task);
    task->n = jwt_keys_fitting(jwts->keys, token->algorithm, token->has_kid ? token->kid : NULL,
                               task->tried, TRIES, &known);
    if (task->n == 0)
        return task_lacks_key(jwts, task, known);
    if (!known && jwts->fetch != NULL)
        (void)jwks_fetch_ask(jwts->fetch); /* for the next token: this one is tried with keys that
                                            * have no name */
    task_fail(task, -ENOENT, "token: its signature is not good", LOGIC_JWT_SIGNATURE);
    task->keys = jwt_keys_ref(jwts->keys);
    return BEGUN_VERIFIED;
}

static enum begun task_begin(struct jwts *jwts, struct jwt_task *task)
{
    const struct logic_config *config = jwts->logic->config;
    struct jwt_token *token = &task->token;

    if (task->ask.len > (size_t)config->jwt_max_length) {
        task_fail(task, -ENOENT, "token: longer than jwt.max_length", LOGIC_JWT_MALFORMED);
        return BEGUN_FAILED;
    }
    if (jwt_token_parse(task->text, task->ask.len, token, &task->why) != 0) {
        task_fail(task, -ENOENT, task->why, LOGIC_JWT_MALFORMED);
        return BEGUN_FAILED;
    }
    if (jwts->n_waiting + jwts->n_parked >= (size_t)config->jwt_max_waiting || jwts->closed) {
        task_fail(task, -EBUSY, "too many tokens are being verified, try again", LOGIC_JWT_BUSY);
        return BEGUN_FAILED;
    }
    return task_choose(jwts, task);
}

static void task_put(struct jwts *jwts, struct jwt_task *task, enum begun begun)
{
    if (begun == BEGUN_FAILED) {
        STAILQ_INSERT_TAIL(&jwts->ready, task, link);
        finish_soon(jwts);
    } else if (begun == BEGUN_PARKED) {
        task->parked = true;
        STAILQ_INSERT_TAIL(&jwts->parked, task, link);
        jwts->n_parked++;
    } else {
        STAILQ_INSERT_TAIL(&jwts->waiting, task, link);
        jwts->n_waiting++;
    }
}

/* A fetch ended. What waits for it is tried once more, and does not wait again. */
static void on_fetched(void *arg, struct jwt_keys *keys)
{
    struct jwts *jwts = arg;
    struct jwt_tasks parked = STAILQ_HEAD_INITIALIZER(parked);
    struct jwt_task *task;

    if (keys != NULL && take_keys(jwts, jwts->files, keys) != 0) {
        log_error("keys of jwt.jwks_url not taken",
                  "keys=%zu hint=\"more than %d with those of jwt.keys and jwt.jwks: the ones of "
                  "before stay in force\"",
                  keys->n, JWT_KEYS_MAX);
        jwt_keys_unref(keys);
    }
    STAILQ_CONCAT(&parked, &jwts->parked);
    jwts->n_parked = 0;
    while ((task = STAILQ_TAKE(&parked, link)) != NULL)
        task_put(jwts, task, task_choose(jwts, task));
    works_start(jwts);
}

void jwts_verify(struct jwts *jwts, const struct jwt_ask *ask)
{
    struct jwt_task *task = mem_zalloc(sizeof *task + ask->len + 1);

    loop_assert_owner(jwts->logic->loop);
    task->ask = *ask;
    memcpy(task->text, ask->text, ask->len);
    task->late_ms =
        loop_now_ms(jwts->logic->loop) + (uint64_t)jwts->logic->config->connect_timeout_ms;
    task_put(jwts, task, task_begin(jwts, task));
    works_start(jwts);
}

void jwts_scrape(const struct jwts *jwts)
{
    metric_set(jwts->logic->counters, LOGIC_JWKS_WAITING, (int64_t)jwts->n_parked);
    if (jwts->fetch != NULL)
        jwks_fetch_scrape(jwts->fetch);
}

/* --- life --- */

int jwts_open(struct logic *logic, struct jwts **out)
{
    const struct logic_config *config = logic->config;
    char err[256];

    *out = NULL;
    if (config->jwt_keys[0] == '\0' && config->jwt_jwks[0] == '\0' &&
        config->jwt_jwks_url[0] == '\0')
        return 0;
    struct jwts *jwts = mem_zalloc(sizeof *jwts);
    jwts->logic = logic;
    STAILQ_INIT(&jwts->waiting);
    STAILQ_INIT(&jwts->ready);
    STAILQ_INIT(&jwts->parked);
    jwts->finish.run = on_finish;
    int failed = read_rules(config, &jwts->rules, jwts->allowed, err, sizeof err);
    if (failed == 0)
        failed = jwts_reload(jwts, err, sizeof err);
    if (failed != 0) {
        log_error("keys of clients' tokens not taken", "why=\"%s\"", err);
        free(jwts);
        return failed;
    }
    failed = jwks_fetch_open(logic, on_fetched, jwts, &jwts->fetch);
    if (failed != 0) {
        jwts_free(jwts);
        return failed;
    }
    *out = jwts;
    return 0;
}

void jwts_close(struct jwts *jwts)
{
    if (jwts == NULL)
        return;
    loop_assert_owner(jwts->logic->loop);
    struct jwt_task *task;

    jwts->closed = true;
    jwks_fetch_close(jwts->fetch);
    jwts->fetch = NULL;
    while ((task = STAILQ_TAKE(&jwts->parked, link)) != NULL)
        task_put(jwts, task, fail_away(task));
    jwts->n_parked = 0;
    works_start(jwts);
    finish_soon(jwts);
}
