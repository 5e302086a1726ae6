/* goim's HTTP parameters: lists of repeated ones, rooms, keys that may have been made up. What is
 * taken is within its limits; what is refused is named; each key goes to its user once. The lines
 * of the input are the values. */
#include "common/base/utf8.h"
#include "common/protocol/goim_key.h"
#include "common/protocol/json_scan.h"
#include "logic/http/goim_params.h"
#include "logic/http/key_groups.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { VALUES = 64, MOST = 32, KEY_MOST = 128, ROOM_MOST = 128 };

static void check(int holds)
{
    if (!holds)
        abort();
}

static void is_named(const struct params_error *err, const char *field)
{
    check(strncmp(err->text, field, strlen(field)) == 0 && err->text[strlen(field)] == ':');
}

static void uids(const struct goim_list *list)
{
    struct params_error err;
    int64_t *out = NULL;
    size_t n = 0;

    if (goim_params_uids(list, MOST, &out, &n, &err) != 0) {
        check(out == NULL && n == 0);
        is_named(&err, list->field);
        return;
    }
    check(n >= 1 && n <= list->n && list->n <= MOST);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++)
            check(out[i] != out[k]);
    }
    free(out);
}

static bool odd(const void *arg, int64_t uid)
{
    (void)arg;
    return uid % 2 != 0;
}

/* The owners follow from the texts. */
static void groups(const struct goim_list *list)
{
    struct device_key_owner owners[VALUES];
    size_t found = 0;

    for (size_t i = 0; i < list->n; i++)
        owners[i] = (struct device_key_owner){list->texts[i][0] != 'x', list->texts[i][0] % 4};
    struct key_groups *made =
        key_groups_new(&(struct key_set){list->texts, owners, list->n}, odd, NULL);
    for (size_t i = 0; i < made->n; i++) {
        check(made->uids[i] % 2 != 0 && made->keys[i].n > 0);
        check(i == 0 || made->uids[i - 1] < made->uids[i]);
        found += made->keys[i].n;
        for (size_t k = 0; k < made->keys[i].n; k++) {
            check(made->keys[i].list[k][0] % 4 == made->uids[i]);
            check(k == 0 || strcmp(made->keys[i].list[k - 1], made->keys[i].list[k]) < 0);
        }
    }
    check(found + made->unknown <= list->n);
    key_groups_free(made);
}

static void keys(const struct goim_list *list)
{
    struct params_error err;

    if (goim_params_keys(list, MOST, KEY_MOST, &err) != 0) {
        is_named(&err, list->field);
        return;
    }
    check(list->n >= 1 && list->n <= MOST);
    for (size_t i = 0; i < list->n; i++) {
        size_t len = strlen(list->texts[i]);
        check(len >= 1 && len <= KEY_MOST);
        check(utf8_is_valid((const uint8_t *)list->texts[i], len));
    }
}

static void room(const char *type, const char *name)
{
    char out[ROOM_MOST + 1];
    struct params_error err;

    if (goim_params_room(type, name, out, sizeof out, &err) != 0)
        return;
    size_t len = strlen(type);
    check(strncmp(out, type, len) == 0 && strncmp(out + len, "://", 3) == 0);
    check(strcmp(out + len + 3, name) == 0);
}

static void rooms(const char *type, const struct goim_list *list)
{
    char **names = NULL, want[ROOM_MOST + 1];
    struct params_error err;

    if (goim_params_rooms(type, list, MOST, ROOM_MOST, &names, &err) != 0) {
        check(names == NULL);
        if (err.text[0] != 't') /* type: … */
            is_named(&err, list->field);
        return;
    }
    check(list->n >= 1 && list->n <= MOST);
    for (size_t i = 0; i < list->n; i++) {
        check(goim_params_room(type, list->texts[i], want, sizeof want, &err) == 0);
        check(strcmp(names[i], want) == 0);
        free(names[i]);
    }
    free(names);
}

static void made_up(const char *key)
{
    char again[GOIM_KEY_MADE_MAX + 1];
    int64_t uid;

    if (!goim_key_is_made(key, &uid))
        return;
    goim_key_make(uid, key + strlen(key) - GOIM_KEY_RANDOM, again);
    check(strcmp(again, key) == 0);
}

static void answer(const char *text)
{
    char out[256];
    size_t len = params_goim_error(-400, text, out, sizeof out);

    check(len < sizeof out && json_is_value((const uint8_t *)out, len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), *at = text;
    const char *texts[VALUES];
    struct goim_list list = {.field = "mids", .texts = texts};

    check(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    while (at != NULL && list.n < VALUES) {
        texts[list.n++] = strsep(&at, "\n");
        made_up(texts[list.n - 1]);
    }
    uids(&list);
    keys(&list);
    groups(&list);
    room(texts[0], texts[list.n - 1]);
    rooms(texts[0], &list);
    answer(texts[0]);
    free(text);
    return 0;
}
