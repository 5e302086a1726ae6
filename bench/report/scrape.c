#include "bench/report/scrape.h"

#include "bench/base/net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAGE_MAX = 256 * 1024, ADDRESS_MAX = 128 };

static const struct {
    const char *name;
    size_t field;
} rows[] = {
    {"imc_comet_writes_total", offsetof(struct scrape, writes)},
    {"imc_comet_write_bytes_total", offsetof(struct scrape, write_bytes)},
    {"imc_comet_walks_total", offsetof(struct scrape, walks)},
    {"imc_comet_deliveries_total", offsetof(struct scrape, deliveries)},
    {"imc_comet_spilled_total", offsetof(struct scrape, spilled)},
    {"imc_comet_queued_bytes", offsetof(struct scrape, queued_bytes)},
    {"imc_comet_kicked_total", offsetof(struct scrape, kicked)},
    {"imc_comet_sessions", offsetof(struct scrape, sessions)},
};

/* NAME VALUE or NAME{LABELS} VALUE */
static void read_line(const char *line, size_t len, struct scrape *sum)
{
    const char *value = memrchr(line, ' ', len);
    size_t name = strcspn(line, "{ ");

    if (value == NULL || line[0] == '#')
        return;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strlen(rows[i].name) == name && strncmp(rows[i].name, line, name) == 0)
            *(double *)((char *)sum + rows[i].field) += strtod(value, NULL);
}

void scrape_text(const char *text, struct scrape *sum)
{
    for (size_t len; *text != '\0'; text += len + (text[len] == '\n')) {
        len = strcspn(text, "\n");
        read_line(text, len, sum);
    }
}

/* Reads the whole answer, until the server closes. HOST is ADDRESS as text: comet refuses names
 * that it does not know. */
static int fetch(const char *host, const struct sockaddr_in *address, char *page)
{
    const struct timeval limit = {.tv_sec = 1};
    char request[ADDRESS_MAX + 64];
    int size = snprintf(request, sizeof request,
                        "GET /metrics HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host);
    size_t len = 0;
    ssize_t n = -1;
    int failed = -EIO, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0 &&
        connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 &&
        send(fd, request, (size_t)size, MSG_NOSIGNAL) == (ssize_t)size)
        failed = 0;
    while (failed == 0 && len < PAGE_MAX - 1 &&
           (n = recv(fd, page + len, PAGE_MAX - 1 - len, 0)) > 0)
        len += (size_t)n;
    page[len] = '\0';
    close(fd);
    return failed != 0 || n < 0 ? -EIO : 0;
}

int scrape_comets(const char *admins, struct scrape *out, char *err, size_t errlen)
{
    static char page[PAGE_MAX];
    struct scrape sum = {0};
    struct sockaddr_in address;
    char one[ADDRESS_MAX];

    for (size_t len; *admins != '\0'; admins += len + (admins[len] == ',')) {
        len = strcspn(admins, ",");
        snprintf(one, sizeof one, "%.*s", (int)len, admins);
        if (net_address(one, &address, err, errlen) != 0)
            return -EINVAL;
        if (fetch(one, &address, page) != 0) {
            snprintf(err, errlen, "http://%s/metrics does not answer", one);
            return -EIO;
        }
        if (strncmp(page, "HTTP/1.1 200 ", 13) != 0) {
            snprintf(err, errlen, "http://%s/metrics answers \"%.*s\"", one,
                     (int)strcspn(page, "\r\n"), page);
            return -EIO;
        }
        scrape_text(page, &sum);
    }
    *out = sum;
    return 0;
}
