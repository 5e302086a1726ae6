#include "common/http/head.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct http_head *http_head_new(void)
{
    struct http_head *head = mem_zalloc(sizeof(*head));
    head->fields = head->few;
    head->fields_size = HTTP_FIELDS_FEW;
    return head;
}

static void free_fields(struct http_head *head)
{
    if (head->fields != head->few)
        free(head->fields);
}

void http_head_free(struct http_head *head)
{
    if (head == NULL)
        return;
    mem_wiped_free(head->text, head->len);
    free_fields(head);
    free(head);
}

/* The bit of a header's name in head->names. Several names may share a bit. A name whose bit is not
 * set is certainly absent, which saves most searches. */
static uint64_t name_bit(const char *name, size_t len)
{
    unsigned first = (unsigned char)name[0], middle = (unsigned char)name[len / 2];
    return UINT64_C(1) << ((first + 3 * middle + 7 * (unsigned)len) % 64);
}

const struct http_slice *http_head_get(const struct http_head *head, const char *name, size_t index)
{
    size_t len = strlen(name);
    if (((index == 0 ? head->names : head->repeated) & name_bit(name, len)) == 0)
        return NULL;
    for (size_t i = 0; i < head->n_fields; i++) {
        const struct http_field *field = &head->fields[i];
        if (field->name.len == len && memcmp(field->name.text, name, len) == 0 && index-- == 0)
            return &field->value;
    }
    return NULL;
}

void http_head_slice(struct http_head *head, struct http_slice *slice, const char *data, size_t len)
{
    char *at = head->text + (data - head->text);
    assert(at >= head->text && at + len < head->text + head->len); /* so at[len] is the CR or a
                                                                    * NUL */
    *slice = (struct http_slice){at, len};
}

struct http_field *http_head_last(struct http_head *head)
{
    assert(head->n_fields > 0);
    return &head->fields[head->n_fields - 1];
}

struct http_field *http_head_add(struct http_head *head)
{
    if (head->n_fields == HTTP_FIELDS_MAX)
        return NULL;
    if (head->n_fields == head->fields_size) {
        size_t size = head->fields_size * 2;
        struct http_field *fields = mem_alloc(size * sizeof(*fields));
        memcpy(fields, head->fields, head->n_fields * sizeof(*fields));
        free_fields(head);
        head->fields = fields;
        head->fields_size = size;
    }
    head->fields[head->n_fields] = (struct http_field){0};
    return &head->fields[head->n_fields++];
}

/* --- what bytes there are --- */

enum { IN_NAME = 1, IN_HOST = 2, IN_BOTH = IN_NAME | IN_HOST };

/* Header names in lower case. */
static const uint8_t kinds[256] = {
    ['0'] = IN_BOTH, ['1'] = IN_BOTH,  ['2'] = IN_BOTH, ['3'] = IN_BOTH, ['4'] = IN_BOTH,
    ['5'] = IN_BOTH, ['6'] = IN_BOTH,  ['7'] = IN_BOTH, ['8'] = IN_BOTH, ['9'] = IN_BOTH,
    ['a'] = IN_BOTH, ['b'] = IN_BOTH,  ['c'] = IN_BOTH, ['d'] = IN_BOTH, ['e'] = IN_BOTH,
    ['f'] = IN_BOTH, ['g'] = IN_BOTH,  ['h'] = IN_BOTH, ['i'] = IN_BOTH, ['j'] = IN_BOTH,
    ['k'] = IN_BOTH, ['l'] = IN_BOTH,  ['m'] = IN_BOTH, ['n'] = IN_BOTH, ['o'] = IN_BOTH,
    ['p'] = IN_BOTH, ['q'] = IN_BOTH,  ['r'] = IN_BOTH, ['s'] = IN_BOTH, ['t'] = IN_BOTH,
    ['u'] = IN_BOTH, ['v'] = IN_BOTH,  ['w'] = IN_BOTH, ['x'] = IN_BOTH, ['y'] = IN_BOTH,
    ['z'] = IN_BOTH, ['!'] = IN_BOTH,  ['$'] = IN_BOTH, ['%'] = IN_BOTH, ['&'] = IN_BOTH,
    ['*'] = IN_BOTH, ['\''] = IN_BOTH, ['+'] = IN_BOTH, ['-'] = IN_BOTH, ['.'] = IN_BOTH,
    ['_'] = IN_BOTH, ['~'] = IN_BOTH,  ['#'] = IN_NAME, ['^'] = IN_NAME, ['`'] = IN_NAME,
    ['|'] = IN_NAME, [':'] = IN_HOST,  ['['] = IN_HOST, [']'] = IN_HOST, ['('] = IN_HOST,
    [')'] = IN_HOST, [';'] = IN_HOST,  ['='] = IN_HOST, ['A'] = IN_HOST, ['B'] = IN_HOST,
    ['C'] = IN_HOST, ['D'] = IN_HOST,  ['E'] = IN_HOST, ['F'] = IN_HOST, ['G'] = IN_HOST,
    ['H'] = IN_HOST, ['I'] = IN_HOST,  ['J'] = IN_HOST, ['K'] = IN_HOST, ['L'] = IN_HOST,
    ['M'] = IN_HOST, ['N'] = IN_HOST,  ['O'] = IN_HOST, ['P'] = IN_HOST, ['Q'] = IN_HOST,
    ['R'] = IN_HOST, ['S'] = IN_HOST,  ['T'] = IN_HOST, ['U'] = IN_HOST, ['V'] = IN_HOST,
    ['W'] = IN_HOST, ['X'] = IN_HOST,  ['Y'] = IN_HOST, ['Z'] = IN_HOST,
};

static bool all_are(const struct http_slice *slice, unsigned kind)
{
    for (size_t i = 0; i < slice->len; i++)
        kind &= kinds[(unsigned char)slice->text[i]];
    return kind != 0;
}

/* --- what is refused --- */

/* The library llhttp checks this as well, unless it was built leniently. The code below must not
 * depend on that. */
static bool is_value(const struct http_slice *value)
{
    if (!text_has_control(value->text, value->len))
        return true;
    for (size_t i = 0; i < value->len; i++) {
        unsigned char c = (unsigned char)value->text[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static bool is_name(const struct http_slice *name)
{
    return name->len > 0 && all_are(name, IN_NAME);
}

static bool is_target(const struct http_slice *target)
{
    for (size_t i = 0; i < target->len; i++) {
        unsigned char c = (unsigned char)target->text[i];
        if (c <= 0x20 || c >= 0x7f)
            return false;
    }
    return target->len > 0;
}

/* Finds the end of the name in HOST: the colon before a port, or the end. NULL: there are brackets
 * around something that is no IPv6 address, or elsewhere. */
static const char *host_name_end(const struct http_slice *host)
{
    char name[INET6_ADDRSTRLEN];
    struct in6_addr address;
    size_t len = strcspn(host->text, "[]");
    if (len == host->len)
        return host->text + strcspn(host->text, ":");
    const char *close = strchr(host->text, ']');
    if (host->text[0] != '[' || close == NULL || close - host->text > INET6_ADDRSTRLEN)
        return NULL;
    len = (size_t)(close - host->text) - 1;
    memcpy(name, host->text + 1, len);
    name[len] = '\0';
    return inet_pton(AF_INET6, name, &address) == 1 ? close + 1 : NULL;
}

/* Is HOST a name or an address and, perhaps, a colon and a port? The port may be empty. A proxy or
 * another server could split anything else at another place. */
static bool is_host(const struct http_slice *host)
{
    const char *end = all_are(host, IN_HOST) ? host_name_end(host) : NULL;
    if (end == NULL)
        return false;
    return *end == '\0' || (*end == ':' && strspn(end + 1, "0123456789") == strlen(end + 1));
}

static void end_slice(struct http_slice *slice)
{
    if (slice->text != NULL)
        slice->text[slice->len] = '\0';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void count_name(struct http_head *head, const struct http_slice *name)
{
    if (name->len == 0) /* http_head_check() refuses it */
        return;
    uint64_t bit = name_bit(name->text, name->len);
    head->repeated |= head->names & bit;
    head->names |= bit;
}

/* Ends name and value of FIELD with a NUL, which replaces the colon or the CR. */
static void end_field(struct http_head *head, struct http_field *field)
{
    struct http_slice *value = &field->value;
    for (size_t i = 0; i < field->name.len; i++) {
        unsigned char c = (unsigned char)field->name.text[i];
        bool upper = (unsigned)c - 'A' < 26;
        field->name.text[i] = (char)(c | upper << 5);
    }
    if (value->text == NULL)
        *value = (struct http_slice){field->name.text + field->name.len, 0};
    while (value->len > 0 && is_blank(value->text[value->len - 1]))
        value->len--;
    end_slice(&field->name);
    end_slice(value);
    count_name(head, &field->name);
}

/* Does a header come twice of which some servers read the first and some the last? */
static bool has_a_second(const struct http_head *head)
{
    static const char *const single[] = {"host",           "authorization",    "x-api-key",
                                         "content-type",   "content-encoding", "origin",
                                         "sec-fetch-site", "transfer-encoding"};
    if (head->repeated == 0)
        return false;
    for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++) {
        if (http_head_get(head, single[i], 1) != NULL)
            return true;
    }
    return false;
}

/* "Authorization: Bearer KEY" and X-API-Key with another key: a proxy may check one of them, and we
 * take the other. */
static bool has_two_keys(const struct http_head *head)
{
    static const char scheme[] = "Bearer ";
    const struct http_slice *bearer = http_head_get(head, "authorization", 0);
    const struct http_slice *key = http_head_get(head, "x-api-key", 0);

    if (bearer == NULL || key == NULL || strncasecmp(bearer->text, scheme, sizeof scheme - 1) != 0)
        return false;
    const char *shown = bearer->text + sizeof scheme - 1;
    return strcmp(shown + strspn(shown, " "), key->text) != 0;
}

static int check_framing(const struct http_head *head, const char **why)
{
    const struct http_slice *coding = http_head_get(head, "transfer-encoding", 0);
    if (coding == NULL)
        return 0;
    *why = "transfer-encoding in HTTP/1.0";
    if (head->http_1_0)
        return 400;
    *why = "content-length beside transfer-encoding";
    if (head->has_length)
        return 400;
    *why = "a transfer-encoding that does not end in chunked";
    if (!head->chunked)
        return 400;
    *why = "a transfer-encoding other than chunked";
    return strcasecmp(coding->text, "chunked") == 0 ? 0 : 501;
}

static int check_request(const struct http_head *head, const char **why)
{
    const struct http_slice *host = http_head_get(head, "host", 0);
    *why = "a byte in the target that has to be percent-encoded";
    if (!is_target(&head->target))
        return 400;
    *why = "no host";
    if (host == NULL && !head->http_1_0)
        return 400;
    *why = "a host that is none";
    if (host != NULL && !is_host(host))
        return 400;
    *why = "a header twice that may be there once";
    if (has_a_second(head))
        return 400;
    *why = "two keys, in authorization and x-api-key";
    return has_two_keys(head) ? 400 : check_framing(head, why);
}

int http_head_check(struct http_head *head, const char **why)
{
    for (size_t i = 0; i < head->n_fields; i++)
        end_field(head, &head->fields[i]);
    end_slice(&head->target);
    for (size_t i = 0; i < head->n_fields; i++) {
        *why = "the name of a header";
        if (!is_name(&head->fields[i].name))
            return 400;
        *why = "a control byte in a header";
        if (!is_value(&head->fields[i].value))
            return 400;
    }
    return head->method != NULL ? check_request(head, why) : 0;
}
