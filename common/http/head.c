#include "common/http/head.h"
#include "common/base/mem.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void http_head_free(struct http_head *head)
{
    if (head == NULL)
        return;
    mem_wiped_free(head->text, head->len);
    free(head->fields);
    free(head);
}

const struct http_slice *http_head_get(const struct http_head *head, const char *name, size_t index)
{
    size_t len = strlen(name);
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
    assert(at >= head->text && at + len < head->text + head->len); /* CR LF is behind */
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
        head->fields_size = head->fields_size == 0 ? 16 : head->fields_size * 2;
        head->fields = mem_realloc(head->fields, head->fields_size * sizeof(*head->fields));
    }
    head->fields[head->n_fields] = (struct http_field){0};
    return &head->fields[head->n_fields++];
}

/* --- what is refused --- */

/* The library's own checks again, so that what follows does not hang on how it was built. */
static bool is_value(const struct http_slice *value)
{
    for (size_t i = 0; i < value->len; i++) {
        unsigned char c = (unsigned char)value->text[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static bool is_name(const struct http_slice *name)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < name->len; i++) {
        char c = name->text[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!plain && (c == '\0' || strchr(others, c) == NULL))
            return false;
    }
    return name->len > 0;
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

/* What stands behind the name, or the brackets: nothing, or a port, which may be empty. */
static bool is_port(const struct http_slice *host)
{
    const char *end = host->text + strcspn(host->text, host->text[0] == '[' ? "]" : ":");
    if (*end == ']')
        end++;
    return *end == '\0' || (*end == ':' && strspn(end + 1, "0123456789") == strlen(end + 1));
}

/* "name:port" as far as its bytes go: nothing that another reader could split elsewhere. */
static bool is_host(const struct http_slice *host)
{
    static const char others[] = "-._~:[]%!$&'()*+;=";
    for (size_t i = 0; i < host->len; i++) {
        char c = host->text[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && (c == '\0' || strchr(others, c) == NULL))
            return false;
    }
    return is_port(host);
}

static void end_slice(struct http_slice *slice)
{
    if (slice->text != NULL)
        slice->text[slice->len] = '\0';
}

/* The colon behind a name and the CR behind a value make way for a NUL. */
static void end_field(struct http_field *field)
{
    struct http_slice *value = &field->value;
    for (size_t i = 0; i < field->name.len; i++) {
        char *c = &field->name.text[i];
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    }
    if (value->text == NULL)
        *value = (struct http_slice){field->name.text + field->name.len, 0};
    while (value->len > 0 && strchr(" \t", value->text[value->len - 1]) != NULL)
        value->len--;
    end_slice(&field->name);
    end_slice(value);
}

/* Headers of which a second one is read by some and the first by others. */
static bool has_a_second(const struct http_head *head)
{
    static const char *const single[] = {"host",           "authorization",    "x-api-key",
                                         "content-type",   "content-encoding", "origin",
                                         "sec-fetch-site", "transfer-encoding"};
    for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++) {
        if (http_head_get(head, single[i], 1) != NULL)
            return true;
    }
    return false;
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
    return has_a_second(head) ? 400 : check_framing(head, why);
}

int http_head_check(struct http_head *head, const char **why)
{
    for (size_t i = 0; i < head->n_fields; i++)
        end_field(&head->fields[i]);
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
