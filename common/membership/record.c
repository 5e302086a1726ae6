/* Members as JSON. In a lease, to which Redis adds `node` and `expires`. And in the answer to GET
 * /member, which is the same object with kind, id, process, state and node. */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/membership/internal.h"
#include "common/protocol/json_scan.h"
#include "common/protocol/message_id.h"

#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const KIND_NAMES[MEMBER_KINDS] = {
    [MEMBER_COMET] = "comet",
    [MEMBER_LOGIC] = "logic",
    [MEMBER_ROUTER] = "router",
    [MEMBER_JOB] = "job",
};

static const char *const STATE_NAMES[] = {
    [RECORD_SEEKING] = "seeking", [RECORD_HELD] = "held", [RECORD_LEAVING] = "leaving"};
enum { N_STATES = sizeof STATE_NAMES / sizeof STATE_NAMES[0] };

/* The strings of a member, with their names in JSON. */
static const struct record_field {
    const char *name;
    size_t offset, size;
} FIELDS[] = {
#define FIELD(name)                                                              \
    {                                                                            \
#name, offsetof(struct member, name), sizeof(((struct member *)0)->name) \
    }
    FIELD(rpc), FIELD(tcp),    FIELD(ws),   FIELD(tcps),    FIELD(wss),     FIELD(host),
    FIELD(ips), FIELD(region), FIELD(zone), FIELD(version), FIELD(unready),
#undef FIELD
};
enum { N_FIELDS = sizeof FIELDS / sizeof FIELDS[0] };

const char *member_kind_name(enum member_kind kind)
{
    return KIND_NAMES[kind];
}

enum member_kind member_kind_of(const char *name)
{
    int kind = 0;

    while (kind < MEMBER_KINDS && strcmp(KIND_NAMES[kind], name) != 0)
        kind++;
    return (enum member_kind)kind;
}

/* As text: Lua's numbers are doubles, which do not hold 64 bits. */
static void set_u64(json_t *object, const char *name, uint64_t value)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    json_object_set_new(object, name, json_string(text));
}

static json_t *to_json(const struct member *member)
{
    json_t *object =
        json_pack("{s:I, s:I, s:I, s:I, s:b, s:b}", "weight", (json_int_t)member->weight,
                  "connections", (json_int_t)member->connections, "client_ips",
                  (json_int_t)member->client_ips, "loops", (json_int_t)member->loops,
                  "refuses_clients", member->refuses_clients, "draining", member->draining);
    assert(object != NULL);
    set_u64(object, "epoch", member->epoch);
    set_u64(object, "process", member->process);
    for (size_t i = 0; i < N_FIELDS; i++) {
        const char *value = (const char *)member + FIELDS[i].offset;
        json_object_set_new(object, FIELDS[i].name, json_string(value));
    }
    return object;
}

static char *to_text(json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    assert(text != NULL);
    return text;
}

/* An absent string is taken as empty. */
static bool copy_string(char *out, size_t size, const char *value)
{
    if (value == NULL)
        value = "";
    size_t len = strlen(value);
    if (len >= size)
        return false;
    memcpy(out, value, len + 1);
    return true;
}

static bool strings_of(const json_t *object, struct member *member)
{
    for (size_t i = 0; i < N_FIELDS; i++) {
        const char *value = json_string_value(json_object_get(object, FIELDS[i].name));
        if (!copy_string((char *)member + FIELDS[i].offset, FIELDS[i].size, value))
            return false;
    }
    return true;
}

/* The number under NAME; 0: there is none. No epoch and no process is 0. */
static uint64_t u64_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    if (text == NULL || strspn(text, "0123456789") != strlen(text))
        return 0;
    return strtoull(text, NULL, 10);
}

/* 0: there is none. Redis writes an integer beyond 10^14 as 1e+14. */
static int64_t number_of(const json_t *object, const char *name)
{
    double number = json_number_value(json_object_get(object, name));
    return number >= 0 && number < 0x1p63 ? (int64_t)number : 0;
}

/* What a daemon of an earlier version does not say. */
static void later_fields_of(const json_t *object, struct member *member)
{
    int64_t loops = number_of(object, "loops");

    member->client_ips = number_of(object, "client_ips");
    member->loops = loops <= MEMBER_LOOPS_MAX ? (uint32_t)loops : 0;
    member->refuses_clients = json_is_true(json_object_get(object, "refuses_clients"));
    member->draining = json_is_true(json_object_get(object, "draining"));
}

/* --- leases --- */

char *member_encode(const struct member *member, int64_t ttl_ms)
{
    json_t *object = to_json(member);
    json_object_set_new(object, "ttl", json_integer((json_int_t)ttl_ms));
    return to_text(object);
}

static bool decode(struct member *member, const redisReply *id, const redisReply *text)
{
    *member = (struct member){0};
    json_t *object = json_load(text->str, text->len, 0, NULL);
    const char *epoch = json_string_value(json_object_get(object, "epoch"));
    bool ok = epoch != NULL && memchr(id->str, '\0', id->len) == NULL &&
              copy_string(member->id, sizeof member->id, id->str) && strings_of(object, member);
    if (ok) {
        member->epoch = strtoull(epoch, NULL, 10);
        member->process = u64_of(object, "process");
        member->node = (uint32_t)number_of(object, "node");
        member->weight = (uint32_t)number_of(object, "weight");
        member->connections = number_of(object, "connections");
        later_fields_of(object, member);
    }
    json_decref(object);
    return ok;
}

struct member_list member_list_decode(const redisReply *reply)
{
    struct member_list list = {0};
    list.members = mem_zalloc((reply->elements / 2 + 1) * sizeof list.members[0]);
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        const redisReply *id = reply->element[i], *text = reply->element[i + 1];
        if (id->type != REDIS_REPLY_STRING || text->type != REDIS_REPLY_STRING)
            continue;
        if (decode(&list.members[list.n], id, text))
            list.n++;
        else
            log_warn("member ignored", "id=\"%.64s\" value=\"%.200s\"; not what a daemon writes",
                     id->str, text->str);
    }
    member_list_sort(&list);
    return list;
}

/* --- records --- */

char *member_record_encode(const struct member_record *record)
{
    json_t *object = to_json(&record->member);
    json_object_set_new(object, "kind", json_string(KIND_NAMES[record->kind]));
    json_object_set_new(object, "id", json_string(record->member.id));
    json_object_set_new(object, "state", json_string(STATE_NAMES[record->state]));
    if (record->numbered)
        json_object_set_new(object, "node", json_integer((json_int_t)record->member.node));
    return to_text(object);
}

/* The index in NAMES of OBJECT's string NAME; -1: it is not there. */
static int name_of(const json_t *object, const char *name, const char *const *names, int n)
{
    const char *value = json_string_value(json_object_get(object, name));
    for (int i = 0; value != NULL && i < n; i++) {
        if (strcmp(names[i], value) == 0)
            return i;
    }
    return -1;
}

static bool integer_of(const json_t *object, const char *name, int64_t max, int64_t *value)
{
    const json_t *number = json_object_get(object, name);
    *value = json_integer_value(number);
    return json_is_integer(number) && *value >= 0 && *value <= max;
}

static const char *record_of(const json_t *object, struct member_record *record)
{
    struct member *member = &record->member;
    const char *id = json_string_value(json_object_get(object, "id"));
    int kind = name_of(object, "kind", KIND_NAMES, MEMBER_KINDS);
    int state = name_of(object, "state", STATE_NAMES, N_STATES);
    int64_t weight, node = 0;

    if (kind < 0 || state < 0)
        return "no daemon's kind and state";
    if (id == NULL || id[0] == '\0' || !copy_string(member->id, sizeof member->id, id))
        return "no id, or a long one";
    record->member.process = u64_of(object, "process");
    member->epoch = u64_of(object, "epoch");
    if (record->member.process == 0 || member->epoch == 0)
        return "no process or no epoch";
    if (!strings_of(object, member))
        return "an address, region or zone is too long";
    if (!integer_of(object, "weight", UINT32_MAX, &weight) ||
        !integer_of(object, "connections", INT64_MAX, &member->connections))
        return "no weight or no connections";
    later_fields_of(object, member);
    record->numbered = json_object_get(object, "node") != NULL;
    if (record->numbered && !integer_of(object, "node", MESSAGE_ID_MAX_NODE, &node))
        return "a node that is none";
    record->kind = (enum member_kind)kind;
    record->state = (enum record_state)state;
    member->weight = (uint32_t)weight;
    member->node = (uint32_t)node;
    return NULL;
}

const char *member_record_decode(const char *text, size_t len, struct member_record *record)
{
    json_t *object = json_load(text, len, 0, NULL);
    const char *why = "not JSON";
    if (object != NULL) {
        *record = (struct member_record){0};
        why = record_of(object, record);
    }
    json_decref(object);
    return why;
}
