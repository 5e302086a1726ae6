#include "common/log.h"
#include "common/mem.h"
#include "common/membership_internal.h"

#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The strings of a member, as they are called in JSON. */
static const struct field {
    const char *name;
    size_t offset, size;
} FIELDS[] = {
#define FIELD(name)                                                              \
    {                                                                            \
#name, offsetof(struct member, name), sizeof(((struct member *)0)->name) \
    }
    FIELD(rpc), FIELD(tcp), FIELD(ws), FIELD(wss), FIELD(region), FIELD(zone),
#undef FIELD
};
enum { N_FIELDS = sizeof FIELDS / sizeof FIELDS[0] };

char *member_encode(const struct member *member, int64_t ttl_ms)
{
    char epoch[24]; /* text: a double does not hold 64 bits */
    (void)snprintf(epoch, sizeof epoch, "%llu", (unsigned long long)member->epoch);
    json_t *object =
        json_pack("{s:s, s:I, s:I, s:I}", "epoch", epoch, "weight", (json_int_t)member->weight,
                  "connections", (json_int_t)member->connections, "ttl", (json_int_t)ttl_ms);
    assert(object != NULL);
    for (size_t i = 0; i < N_FIELDS; i++) {
        const char *value = (const char *)member + FIELDS[i].offset;
        json_object_set_new(object, FIELDS[i].name, json_string(value));
    }
    char *text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    assert(text != NULL);
    return text;
}

/* Absent is empty. */
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

static int64_t number_of(const json_t *object, const char *name)
{
    return (int64_t)json_number_value(json_object_get(object, name));
}

static bool decode(struct member *member, const redisReply *id, const redisReply *text)
{
    *member = (struct member){0};
    json_t *object = json_loadb(text->str, text->len, 0, NULL);
    const char *epoch = json_string_value(json_object_get(object, "epoch"));
    bool ok = epoch != NULL && copy_string(member->id, sizeof member->id, id->str);
    for (size_t i = 0; i < N_FIELDS && ok; i++) {
        const char *value = json_string_value(json_object_get(object, FIELDS[i].name));
        ok = copy_string((char *)member + FIELDS[i].offset, FIELDS[i].size, value);
    }
    if (ok) {
        member->epoch = strtoull(epoch, NULL, 10);
        member->node = (uint32_t)number_of(object, "node");
        member->weight = (uint32_t)number_of(object, "weight");
        member->connections = number_of(object, "connections");
    }
    json_decref(object);
    return ok;
}

static int compare(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    return strcmp(x->id, y->id);
}

static void sort(struct member_list *list)
{
    if (list->n > 0)
        qsort(list->members, list->n, sizeof list->members[0], compare);
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
    sort(&list);
    return list;
}

void member_list_keep(struct member_list *list, const struct member_list *old)
{
    size_t n = list->n;
    list->members = mem_realloc(list->members, (n + old->n + 1) * sizeof list->members[0]);
    struct member_list found = {.n = n, .members = list->members};
    for (size_t i = 0; i < old->n; i++) {
        if (member_list_find(&found, old->members[i].id) == NULL)
            list->members[list->n++] = old->members[i];
    }
    sort(list);
}

static bool same(const struct member *a, const struct member *b)
{
    if (strcmp(a->id, b->id) != 0 || a->epoch != b->epoch || a->node != b->node ||
        a->weight != b->weight)
        return false;
    for (size_t i = 0; i < N_FIELDS; i++) {
        size_t offset = FIELDS[i].offset;
        if (strcmp((const char *)a + offset, (const char *)b + offset) != 0)
            return false;
    }
    return true;
}

bool member_list_same(const struct member_list *a, const struct member_list *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        if (!same(&a->members[i], &b->members[i]))
            return false;
    }
    return true;
}

const struct member *member_list_find(const struct member_list *list, const char *id)
{
    size_t low = 0, high = list->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(id, list->members[middle].id);
        if (order == 0)
            return &list->members[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

void member_list_free(struct member_list *list)
{
    free(list->members);
    *list = (struct member_list){0};
}
