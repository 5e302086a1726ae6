/* settings.h - the settings of a webhook, which are rows of the daemon that has one. */
#ifndef IMC_COMMON_WEBHOOK_SETTINGS_H
#define IMC_COMMON_WEBHOOK_SETTINGS_H

#include "common/http/url.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct webhook_settings {
    char *url; /* "": there is none */
    char *secret_file, *ca;
    bool private_addresses;
    int64_t timeout_ms, in_flight, batch, retry_ms;
};

/* NOLINTBEGIN(bugprone-macro-parentheses): FIELD is the name of a member */
/* The rows of SECTION but the URL's own, by the daemon's macro ROW. FIELD is the struct. */
#define WEBHOOK_ROWS(ROW, section, field, timeout, in_flight_, retry)                             \
    ROW(section, "url_secret_file", CONFIG_STRING, field.secret_file, "", 0, 0,                   \
        "File with the key that signs what is posted there (Standard Webhooks): whsec_ and the "  \
        "base64 of 24 to 64 bytes. While keys are changed, two lines: both sign. Read again on "  \
        "SIGHUP."),                                                                               \
        ROW(section, "url_ca", CONFIG_STRING, field.ca, "", 0, 0,                                 \
            "PEM file of who is believed to sign that server's certificate. Read again on "       \
            "SIGHUP. Empty: tls.ca, or the system's store."),                                     \
        ROW(section, "url_private", CONFIG_BOOL, field.private_addresses, "no", 0, 0,             \
            "May the URL's name lead to a private address (10.0.0.0/8, 127.0.0.1 and the like)? " \
            "An address that stands in the URL, and localhost, always may."),                     \
        ROW(section, "url_timeout", CONFIG_DURATION, field.timeout_ms, timeout, 100, 300000,      \
            "A post that is unanswered for so long has failed."),                                 \
        ROW(section, "url_in_flight", CONFIG_INT, field.in_flight, in_flight_, 1, 256,            \
            "Posts at a time, each on a connection of its own that is kept. Users are spread "    \
            "over them; one user's events go by the same one."),                                  \
        ROW(section, "url_batch", CONFIG_INT, field.batch, "100", 1, 1000,                        \
            "Events in a post at most; one of 256 KiB takes no more, either. Those that come "    \
            "while "                                                                              \
            "a post is under way go together in the next one."),                                  \
        ROW(section, "url_retry", CONFIG_DURATION, field.retry_ms, retry, 100, 3600000,           \
            "The longest pause before what failed is posted again. The first one is 250 ms, and " \
            "it doubles each time. Retry-After of the answer may make it longer, an hour at "     \
            "most.")
/* NOLINTEND(bugprone-macro-parentheses) */

/* Checks the settings of SECTION, and sets *URL, if there is one. 0, or -EINVAL with ERR. */
int webhook_check(const struct webhook_settings *settings, const char *section,
                  struct http_url *url, char *err, size_t errlen);

#endif
