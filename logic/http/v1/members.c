/* GET /v1/rooms/members and /v1/rooms/{room}/members:
 *
 *   cursor ─► room_members_page ─► comets ─► {"members":[…],"cursor":"…","unanswered":[]} */
#include "logic/http/v1/members.h"
#include "common/base/text.h"
#include "logic/http/v1/call.h"
#include "logic/http/v1/session_print.h"
#include "logic/peers/room_members.h"

#include <inttypes.h>
#include <string.h>

enum { LIMIT = 100 };

static void print_member(FILE *out, const struct room_member *member)
{
    v1_print_session(out, member->handle, member->comet);
    fprintf(out, ",\"uid\":%" PRId64, member->uid);
    v1_print_name(out, "key", member->key);
    fputc('}', out);
}

static void on_page(void *arg, const struct members_page *page)
{
    struct v1_call *call = arg;

    if (page->too_many) {
        v1_too_many_orders(call);
        return;
    }
    FILE *out = v1_begin(call);
    fputs("{\"members\":[", out);
    for (size_t i = 0; i < page->n; i++) {
        fputs(i > 0 ? "," : "", out);
        print_member(out, &page->members[i]);
    }
    fputc(']', out);
    if (page->more) {
        char cursor[MEMBERS_CURSOR_DIGITS + 2 + sizeof page->next.comet];
        (void)snprintf(cursor, sizeof cursor, "%02" PRIx32 "%08" PRIx32 ".%s", page->next.loop,
                       page->next.slot, page->next.comet);
        v1_print_name(out, "cursor", cursor);
    }
    v1_print_unanswered(out, page->unanswered, page->n_unanswered);
    fputc('}', out);
    v1_end(call, 200, NULL);
}

/* False: TEXT is no cursor. */
static bool parse_cursor(const char *text, struct members_place *place)
{
    uint8_t bytes[MEMBERS_CURSOR_DIGITS / 2];
    const char *comet = text + MEMBERS_CURSOR_DIGITS + 1;

    if (!text_from_hex(text, bytes, sizeof bytes) || comet[-1] != '.' || comet[0] == '\0' ||
        strlen(comet) >= sizeof place->comet)
        return false;
    place->loop = bytes[0];
    place->slot = 0;
    for (size_t i = 1; i < sizeof bytes; i++)
        place->slot = place->slot << 8 | bytes[i];
    (void)snprintf(place->comet, sizeof place->comet, "%s", comet);
    return true;
}

void v1_rooms_members(struct v1_call *call)
{
    const struct schema_value *limit = v1_query(call, "limit"), *cursor = v1_query(call, "cursor");
    struct members_place place = {0};
    struct schema_errors errors = {0};

    if (cursor != NULL && !parse_cursor(cursor->text, &place)) {
        schema_error_add(&errors, SCHEMA_IN_QUERY, "cursor",
                         "must be the cursor of the page before");
        v1_refuse_errors(call, &errors);
        return;
    }
    room_members_page(call->logic, v1_query(call, "room")->text, &place,
                      limit != NULL ? (uint32_t)limit->number : LIMIT, on_page, call);
}
