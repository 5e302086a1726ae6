/* What Redis's errors mean. The first word of an error is its code. For an error in a script, an
 * older Redis puts the code behind "ERR Error running script (…): …: -". */
#include "common/redis/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct error {
    const char *code;
    enum redis_class class;
    bool breaks; /* the error ends the connection; the next one looks the name up again, or asks
                  * Sentinel */
    const char *hint;
} ERRORS[] = {
    /* This is not the primary. Another server may have the name by now. */
    {"READONLY", REDIS_DISPLACED, true, NULL},
    {"MASTERDOWN", REDIS_DISPLACED, true, NULL},
    {"LOADING", REDIS_DISPLACED, true, NULL},
    {"CLUSTERDOWN", REDIS_DISPLACED, true, "imc does not speak to a Redis Cluster"},
    {"MOVED", REDIS_DISPLACED, true, "imc does not speak to a Redis Cluster"},
    {"ASK", REDIS_DISPLACED, true, "imc does not speak to a Redis Cluster"},
    {"CROSSSLOT", REDIS_DISPLACED, true, "imc does not speak to a Redis Cluster"},
    /* This is the primary, and it takes no writes. Reads work. */
    {"OOM", REDIS_UNWRITABLE, false, NULL},
    {"MISCONF", REDIS_UNWRITABLE, false, NULL},
    {"NOREPLICAS", REDIS_UNWRITABLE, false, NULL},
    /* This is the primary, and it will take commands later. */
    {"BUSY", REDIS_OCCUPIED, false, NULL},
    {"UNKILLABLE", REDIS_OCCUPIED, false, NULL},
    {"TRYAGAIN", REDIS_OCCUPIED, false, NULL},
    /* Only the operator of Redis can mend that. */
    {"NOPERM", REDIS_FORBIDDEN, false, "give the user of redis.user that right"},
    {"NOAUTH", REDIS_FORBIDDEN, true, "set redis.password"},
    {"WRONGPASS", REDIS_FORBIDDEN, true, "check redis.user and redis.password"},
};

/* For a script whose user lacks a right: the words of Redis up to 7.0, which do not say which, and
 * those of later ones, which do. */
static const char FORBIDDEN_SCRIPT[] = "The user executing the script can't";
static const char FORBIDDEN_COMMAND[] = "The user executing the script can't run this command";
static const char FORBIDDEN_LATER[] = "ACL failure in script";
static const char LINE_MARK[] = "@user_script:"; /* a number follows */
static const struct error FORBIDDEN_IN_SCRIPT = {
    "ERR", REDIS_FORBIDDEN, false,
    "give the user of redis.user the rights that docs/redis.md lists"};
static const struct error OTHER = {"", REDIS_REFUSED, false, NULL};

static bool has_code(const char *text, const char *code)
{
    size_t len = strlen(code);
    return strncmp(text, code, len) == 0 && (text[len] == ' ' || text[len] == '\0');
}

static const struct error *error_of(const char *text)
{
    if (has_code(text, "ERR") &&
        (strstr(text, FORBIDDEN_SCRIPT) != NULL || strstr(text, FORBIDDEN_LATER) != NULL))
        return &FORBIDDEN_IN_SCRIPT;
    if (strncmp(text, "ERR Error running script", 24) == 0) {
        const char *inner = strstr(text, ": -");
        text = inner != NULL ? inner + 3 : text;
    }
    for (size_t i = 0; i < sizeof ERRORS / sizeof ERRORS[0]; i++) {
        if (has_code(text, ERRORS[i].code))
            return &ERRORS[i];
    }
    return &OTHER;
}

enum redis_class redis_class_of(const redisReply *reply)
{
    if (reply == NULL)
        return REDIS_AWAY;
    return reply->type == REDIS_REPLY_ERROR ? error_of(reply->str)->class : REDIS_ANSWERED;
}

bool redis_error_breaks(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR && error_of(reply->str)->breaks;
}

/* Writes the commands that the line LEN bytes long at LINE calls, in lower case: "'get' or 'del'".
 * Returns the number of bytes. */
static size_t write_calls(const char *line, size_t len, char *out, size_t size)
{
    static const char call[] = "redis.call('";
    const char *end = line + len, *at = line;
    size_t used = 0;
    out[0] = '\0';
    while ((at = memmem(at, (size_t)(end - at), call, sizeof call - 1)) != NULL) {
        at += sizeof call - 1;
        int n = (int)strcspn(at, "'");
        int wrote = snprintf(out + used, size - used, "%s'%.*s'", used > 0 ? " or " : "", n, at);
        used += (size_t)wrote < size - used ? (size_t)wrote : size - used - 1;
    }
    for (size_t i = 0; i < used; i++)
        out[i] = (char)(out[i] >= 'A' && out[i] <= 'Z' ? out[i] + ('a' - 'A') : out[i]);
    return used;
}

void redis_error_name_right(redisReply *reply, const struct redis_script *script)
{
    char calls[64];
    const char *mark = strstr(reply->str, LINE_MARK), *line = script->source;
    if (mark == NULL || strstr(reply->str, FORBIDDEN_COMMAND) == NULL)
        return;
    long number = strtol(mark + sizeof LINE_MARK - 1, NULL, 10);
    while (number-- > 1 && *line != '\0')
        line += strcspn(line, "\n") + (line[strcspn(line, "\n")] == '\n');
    if (write_calls(line, strcspn(line, "\n"), calls, sizeof calls) == 0)
        return;
    int n = snprintf(reply->str, reply->len, "NOPERM this user may not run %s in a script", calls);
    reply->len = (size_t)n < reply->len ? (size_t)n : reply->len - 1;
}

void redis_error_text(const redisReply *reply, char *buf, size_t len)
{
    const struct error *error = error_of(reply->str);
    const char *where = strstr(reply->str, " script: "); /* leave out the script's checksum */
    size_t n = where != NULL ? (size_t)(where - reply->str) : strlen(reply->str);
    /* Keep to one line without quotes. A quote would end the value in a line of the log. */
    int used = snprintf(buf, len, "%.*s%s%s", (int)(n < len ? n : len - 1), reply->str,
                        error->hint != NULL ? "; " : "", error->hint != NULL ? error->hint : "");
    for (int i = 0; i < used && (size_t)i < len; i++) {
        if (buf[i] == '"')
            buf[i] = '\'';
        else if ((unsigned char)buf[i] < ' ')
            buf[i] = buf[i] == '\0' ? '\0' : ' ';
    }
}

const char *redis_said(const struct redis *redis)
{
    return redis->said[0] != '\0' ? redis->said : "Redis gave an answer of an unexpected kind";
}

void redis_note_said(struct redis *redis, const redisReply *reply)
{
    char text[REDIS_TEXT];
    if (reply == NULL) {
        (void)snprintf(redis->said, sizeof redis->said, "Redis does not answer%s%s%s",
                       redis->why[0] != '\0' ? " (" : "", redis->why,
                       redis->why[0] != '\0' ? ")" : "");
    } else if (reply->type == REDIS_REPLY_ERROR) {
        redis_error_text(reply, text, sizeof text);
        (void)snprintf(redis->said, sizeof redis->said, "Redis says: %s", text);
    } else {
        redis->said[0] = '\0';
    }
}
