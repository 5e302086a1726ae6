#include "logic/http/goim_params.h"
#include "common/base/mem.h"
#include "common/containers/map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REFUSE(err, ...) (snprintf((err)->text, sizeof(err)->text, __VA_ARGS__), -EINVAL)

/* Are there 1 to MAX values? */
static int check_number(const struct goim_list *list, size_t max, struct params_error *err)
{
    if (list->n == 0)
        return REFUSE(err, "%s: missing", list->field);
    if (list->n > max)
        return REFUSE(err, "%s: more than %zu", list->field, max);
    return 0;
}

/* Names the value in ERR: of thousands, one is wrong. */
static int refuse_item(const struct goim_list *list, size_t i, struct params_error *err)
{
    char text[sizeof err->text];

    memcpy(text, err->text, sizeof text);
    return REFUSE(err, "%s: item %zu%.*s", list->field, i, (int)sizeof text / 2,
                  text + strlen(list->field));
}

int goim_params_uids(const struct goim_list *list, size_t max, int64_t **uids, size_t *n,
                     struct params_error *err)
{
    int failed = check_number(list, max, err);

    if (failed != 0)
        return failed;
    struct map64 *seen = map64_new();
    int64_t *out = mem_alloc(list->n * sizeof *out);
    size_t taken = 0;
    for (size_t i = 0; i < list->n && failed == 0; i++) {
        int64_t uid = 0;
        failed = params_int64(list->field, list->texts[i], INT64_MIN, INT64_MAX, &uid, err);
        if (failed != 0)
            failed = refuse_item(list, i, err);
        else if (map64_get(seen, (uint64_t)uid) == NULL)
            out[taken++] = uid;
        map64_set(seen, (uint64_t)uid, 1);
    }
    map64_free(seen);
    if (failed != 0) {
        free(out);
        return failed;
    }
    *uids = out;
    *n = taken;
    return 0;
}

int goim_params_keys(const struct goim_list *list, size_t max, size_t most,
                     struct params_error *err)
{
    int failed = check_number(list, max, err);

    for (size_t i = 0; i < list->n && failed == 0; i++) {
        if (params_text(list->field, list->texts[i], most, err) != 0)
            failed = refuse_item(list, i, err);
    }
    return failed;
}

int goim_params_room(const char *type, const char *room, char *out, size_t outlen,
                     struct params_error *err)
{
    static const char between[] = GOIM_ROOM_BETWEEN;
    size_t most = outlen - 1;

    if (params_text("type", type, most, err) != 0 || params_text("room", room, most, err) != 0)
        return -EINVAL;
    if (strlen(type) + strlen(room) + sizeof between - 1 > most)
        return REFUSE(err, "room: \"type://room\" is longer than %zu bytes", most);
    (void)snprintf(out, outlen, "%s%s%s", type, between, room);
    return 0;
}

int goim_params_rooms(const char *type, const struct goim_list *rooms, size_t max, size_t most,
                      char ***names, struct params_error *err)
{
    static const char between[] = GOIM_ROOM_BETWEEN;
    size_t joint = sizeof between - 1, taken = 0;

    if (params_text("type", type, most - joint - 1, err) != 0 || check_number(rooms, max, err) != 0)
        return -EINVAL;
    size_t begin = strlen(type) + joint;
    char **out = mem_zalloc(rooms->n * sizeof *out);
    while (taken < rooms->n &&
           params_text(rooms->field, rooms->texts[taken], most - begin, err) == 0) {
        size_t len = begin + strlen(rooms->texts[taken]) + 1;
        out[taken] = mem_alloc(len);
        (void)snprintf(out[taken], len, "%s%s%s", type, between, rooms->texts[taken]);
        taken++;
    }
    if (taken == rooms->n) {
        *names = out;
        return 0;
    }
    for (size_t i = 0; i < taken; i++)
        free(out[i]);
    free(out);
    return refuse_item(rooms, taken, err);
}
