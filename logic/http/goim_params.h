/* goim_params.h - lists as goim v2's HTTP API takes them: one value for each time that the
 * parameter comes (mids=1&mids=2). Pure; any thread.
 *
 * All functions return 0, or -EINVAL and say in ERR what is wrong, and where. */
#ifndef IMC_LOGIC_HTTP_GOIM_PARAMS_H
#define IMC_LOGIC_HTTP_GOIM_PARAMS_H

#include "logic/http/params.h"

/* Stands between the type and the room in the name of goim's rooms. */
#define GOIM_ROOM_BETWEEN "://"

/* The values of a parameter, in the order they came. Borrowed. */
struct goim_list {
    const char *field;
    const char *const *texts;
    size_t n;
};

/* Reads 1 to MAX uids. They are in the order they came, each once. *UIDS is to be freed; it stays
 * untouched on failure. */
int goim_params_uids(const struct goim_list *list, size_t max, int64_t **uids, size_t *n,
                     struct params_error *err);
/* Checks 1 to MAX keys, each of 1 to MOST bytes. */
int goim_params_keys(const struct goim_list *list, size_t max, size_t most,
                     struct params_error *err);
/* Joins TYPE and ROOM to "TYPE://ROOM", the name of goim's room, in OUT of OUTLEN bytes. */
int goim_params_room(const char *type, const char *room, char *out, size_t outlen,
                     struct params_error *err);
/* The same for each of 1 to MAX ROOMS, in their order. Names have at most MOST bytes. *NAMES has
 * ROOMS->n items; each and the array are to be freed. It stays untouched on failure. */
int goim_params_rooms(const char *type, const struct goim_list *rooms, size_t max, size_t most,
                      char ***names, struct params_error *err);

#endif
