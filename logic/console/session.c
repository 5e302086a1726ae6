/* Logging in at the console with an API key, and out. A request that changes something, or shows
 * something, has to bring the cookie and, in a header, the CSRF token, which only our page knows.
 * The cookie is SameSite=Strict, so a browser does not send it from other sites' pages at all. */
#include "common/auth/audit.h"
#include "logic/console/internal.h"
#include "logic/http/local_callers.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LOGIN_BODY_MAX = 2048 };

static const char cookie_name[] = "imc_console";

static uint64_t now_ms(const struct logic *logic)
{
    return loop_now_ms(logic->loop);
}

/* The value of our cookie in HEADER, and its *LEN; NULL: it is not there. */
static const char *cookie_of(const struct http_request *request, size_t *len)
{
    const char *at = http_header(request, "cookie");
    size_t name = sizeof cookie_name - 1;

    while (at != NULL && *at != '\0') {
        at += strspn(at, " ;");
        size_t part = strcspn(at, ";");
        if (part > name && strncmp(at, cookie_name, name) == 0 && at[name] == '=') {
            *len = part - name - 1;
            return at + name + 1;
        }
        at += part;
    }
    return NULL;
}

static const struct login *login_of(struct logic *logic, const struct http_request *request)
{
    size_t len = 0;
    const char *cookie = cookie_of(request, &len);

    return cookie != NULL ? logins_find(logic->console->logins, cookie, len, now_ms(logic)) : NULL;
}

/* Browsers say where a request comes from. Programs do not. */
static bool is_from_elsewhere(const struct http_request *request)
{
    const char *site = http_header(request, "sec-fetch-site");

    return site != NULL && strcasecmp(site, "same-origin") != 0 && strcasecmp(site, "none") != 0;
}

static bool is_path_of_page(const char *path)
{
    return strncmp(path, "/v1/", 4) == 0 || strncmp(path, "/console/", 9) == 0;
}

const uint8_t *console_logged_in(struct logic *logic, const struct http_request *request,
                                 const char **why)
{
    size_t len;

    *why = NULL;
    if (!is_path_of_page(http_path(request)) || cookie_of(request, &len) == NULL)
        return NULL;
    const struct login *login = login_of(logic, request);
    if (login == NULL)
        *why = "the login at the console has ended: log in again";
    else if (is_from_elsewhere(request) ||
             !login_csrf_is(login, http_header(request, "x-csrf-token")))
        *why = "a request with the console's cookie needs its X-CSRF-Token: reload the page";
    return *why == NULL ? login->key : NULL;
}

/* --- answers --- */

static void print_scopes(FILE *out, const struct key *key)
{
    static const enum key_scope scopes[] = {KEY_READ, KEY_PUSH, KEY_ADMIN};
    const char *between = "";

    fputs("\"scopes\":[", out);
    for (size_t i = 0; i < sizeof scopes / sizeof scopes[0]; i++) {
        if (key != NULL && !key_may(key, scopes[i]))
            continue;
        fprintf(out, "%s\"%s\"", between, key_scope_name(scopes[i]));
        between = ",";
    }
    fputc(']', out);
}

/* KEY NULL: nobody needs one. */
static void print_login(FILE *out, const struct logic *logic, const struct login *login,
                        const struct key *key)
{
    fprintf(out, "{\"login\":true,\"needs_key\":%s,\"name\":", key != NULL ? "true" : "false");
    const char *name = key != NULL ? key->name : "this machine";
    params_write_string(out, name, strlen(name));
    fputc(',', out);
    print_scopes(out, key);
    if (login != NULL)
        fprintf(out, ",\"csrf\":\"%s\",\"ends_in_s\":%llu", login->csrf,
                (unsigned long long)((login->ends_ms - now_ms(logic)) / 1000));
    fputs(",\"version\":\"" IMC_VERSION "\"}", out);
}

static void send_login(struct logic *logic, struct http_request *request, const struct login *login,
                       const struct key *key, const char *headers)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    if (out == NULL) {
        api_unavailable(logic, request, LOGIC_REFUSED_MEMORY, "out of memory");
        return;
    }
    print_login(out, logic, login, key);
    fclose(out);
    console_answer(logic, request, text, len, headers);
    mem_wiped_free(text, len);
}

static void send_no_login(struct logic *logic, struct http_request *request, const char *why)
{
    char text[512];
    int at = snprintf(text, sizeof text, "{\"login\":false,\"needs_key\":%s,\"why\":",
                      callers_have_no_key(logic->callers) ? "false" : "true");

    console_answer(logic, request, text, params_end_in_text(why, text, (size_t)at, sizeof text),
                   NULL);
}

void console_session(struct logic *logic, struct http_request *request)
{
    if (callers_have_no_key(logic->callers)) {
        const char *why = local_callers_refusal(logic->local, request);
        if (why == NULL)
            send_login(logic, request, NULL, NULL, NULL);
        else
            send_no_login(logic, request, why);
        return;
    }
    const struct login *login = is_from_elsewhere(request) ? NULL : login_of(logic, request);
    const struct key *key = login != NULL ? callers_key_of(logic->callers, login->key) : NULL;
    if (key != NULL)
        send_login(logic, request, login, key, NULL);
    else
        send_no_login(logic, request, "");
}

/* --- in --- */

static void audit(struct http_request *request, const char *who, int status, const char *why)
{
    audit_log(&(struct audit){.listener = "console",
                              .who = who,
                              .address = http_peer(request),
                              .method = audit_method(request),
                              .route = "/console/login",
                              .outcome = status,
                              .why = why,
                              .request_id = http_request_id(request)});
}

/* The key in the body of REQUEST, to be freed by json_decref(*HOLDS); NULL: there is none. */
static const char *key_in_body(struct http_request *request, json_t **holds)
{
    size_t len;
    const uint8_t *body = http_body(request, &len);
    const char *type = http_header(request, "content-type");

    *holds = NULL;
    if (type == NULL || strncasecmp(type, "application/json", 16) != 0 || len > LOGIN_BODY_MAX)
        return NULL;
    *holds = json_loadb((const char *)body, len, JSON_REJECT_DUPLICATES, NULL);
    return json_string_value(json_object_get(*holds, "key"));
}

static void let_in(struct logic *logic, struct http_request *request, const struct key *key)
{
    char cookie[LOGINS_COOKIE_LEN + 1], header[256];
    const struct login *login =
        logins_add(logic->console->logins, key->digest, now_ms(logic), cookie);

    snprintf(header, sizeof header,
             "Set-Cookie: %s=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%lld%s\r\n",
             cookie_name, cookie, (long long)(logic->config->console_session_ms / 1000),
             logic->config->api_tls ? "; Secure" : "");
    logic_count(logic, LOGIC_CONSOLE_LOGINS, 1);
    audit(request, key->name, 200, NULL);
    send_login(logic, request, login, key, header);
    OPENSSL_cleanse(cookie, sizeof cookie);
    OPENSSL_cleanse(header, sizeof header);
}

static void refuse_try(struct logic *logic, struct http_request *request, const char *ip)
{
    logins_tried(logic->console->logins, ip, now_ms(logic));
    logic_count(logic, LOGIC_CONSOLE_REFUSED, 1);
    api_error(logic, request, API_KEY, "wrong key");
}

void console_login(struct logic *logic, struct http_request *request)
{
    char ip[LOCAL_CALLERS_IP_MAX];
    json_t *body = NULL;

    local_callers_client(logic->local, request, ip);
    if (callers_have_no_key(logic->callers)) {
        api_error(logic, request, API_PARAMETER,
                  "no keys are set (api.keys_file): there is nothing to log in with");
    } else if (is_from_elsewhere(request)) {
        api_error(logic, request, API_KEY, "only the console's own page logs in");
    } else if (!logins_may_try(logic->console->logins, ip, now_ms(logic))) {
        logic_count(logic, LOGIC_CONSOLE_REFUSED, 1);
        api_refuse(logic, request,
                   &(struct api_refusal){API_RATE, LOGIC_REFUSED_RATE, 60,
                                         "too many wrong keys from this address: wait a minute"});
    } else {
        const char *text = key_in_body(request, &body);
        const struct key *key = text != NULL ? callers_key_presented(logic->callers, text) : NULL;
        if (text == NULL)
            api_error(logic, request, API_PARAMETER,
                      "send {\"key\":\"…\"} as application/json, at most 2048 bytes");
        else if (key == NULL)
            refuse_try(logic, request, ip);
        else
            let_in(logic, request, key);
    }
    json_decref(body);
}

/* --- out --- */

void console_logout(struct logic *logic, struct http_request *request)
{
    static const char gone[] =
        "Set-Cookie: imc_console=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0\r\n";
    const struct login *login = login_of(logic, request);

    if (login != NULL && !is_from_elsewhere(request) &&
        login_csrf_is(login, http_header(request, "x-csrf-token")))
        logins_end(logic->console->logins, login);
    console_answer(logic, request, "{}", 2, gone);
}
