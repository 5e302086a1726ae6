/* log_at() ─► rate limit of the call site ─► one line in a stack buffer ─► write(2) */
#include "common/log.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_SIZE \
    4096 /* at most PIPE_BUF, so that lines of several processes do not mix in a pipe */
#define LINES_PER_SITE  10 /* a second */
#define SUPPRESSED_SIZE 32

int log_threshold = LOG_INFO;
static const char *log_daemon = "imc";

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_open(const char *daemon)
{
    log_daemon = daemon;
}

int log_set_level(const char *level)
{
    for (int i = LOG_DEBUG; i <= LOG_ERROR; i++) {
        if (strcmp(level, level_names[i]) == 0) {
            __atomic_store_n(&log_threshold, i, __ATOMIC_RELAXED);
            return 0;
        }
    }
    return -EINVAL;
}

/* Threads that race at the turn of a second may let a line too many or too few through; none is
 * lost uncounted. */
static bool admit(struct log_site *site, uint64_t second)
{
    uint64_t last = __atomic_load_n(&site->second, __ATOMIC_RELAXED);
    if (last != second && __atomic_compare_exchange_n(&site->second, &last, second, false,
                                                      __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        __atomic_store_n(&site->printed, 0, __ATOMIC_RELAXED);
    if (__atomic_fetch_add(&site->printed, 1, __ATOMIC_RELAXED) < LINES_PER_SITE)
        return true;
    __atomic_fetch_add(&site->suppressed, 1, __ATOMIC_RELAXED);
    return false;
}

/* "2026-11-22T10:00:00": gmtime_r once per second and thread. */
static const char *second_text(time_t second)
{
    static _Thread_local time_t cached = -1;
    static _Thread_local char text[32];
    struct tm tm;
    if (cached != second && gmtime_r(&second, &tm) != NULL) {
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
        cached = second;
    }
    return text;
}

/* Control characters become \n, \x1b …: text from a peer cannot forge a line. Returns the length
 * written. */
static size_t escape(const char *text, char *out, size_t size)
{
    size_t used = 0;
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        char seq[8];
        int n;
        if (c >= ' ' && c != 0x7f)
            n = snprintf(seq, sizeof(seq), "%c", c);
        else if (c == '\n' || c == '\r' || c == '\t')
            n = snprintf(seq, sizeof(seq), "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
        else
            n = snprintf(seq, sizeof(seq), "\\x%02x", c);
        if (used + (size_t)n > size)
            break;
        memcpy(out + used, seq, (size_t)n);
        used += (size_t)n;
    }
    return used;
}

static void write_line(const char *line, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDERR_FILENO, line, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) /* nobody to tell */
            return;
        line += n;
        len -= (size_t)n;
    }
}

void log_write(struct log_site *site, enum log_level level, const char *event, const char *fmt, ...)
{
    char text[LINE_SIZE], line[LINE_SIZE + SUPPRESSED_SIZE];
    int saved = errno, n;
    struct timespec now;
    va_list args;
    clock_gettime(CLOCK_REALTIME, &now);
    if (!admit(site, (uint64_t)now.tv_sec))
        return;
    va_start(args, fmt);
    n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (n < 0)
        text[0] = '\0';
    n = snprintf(line, LINE_SIZE, "%s.%03ldZ %-5s %s %s%s", second_text(now.tv_sec),
                 now.tv_nsec / 1000000, level_names[level], log_daemon, event,
                 text[0] != '\0' ? " " : "");
    size_t used = (size_t)n < LINE_SIZE ? (size_t)n : LINE_SIZE - 1;
    used +=
        escape(text, line + used,
               LINE_SIZE - SUPPRESSED_SIZE - 1 > used ? LINE_SIZE - SUPPRESSED_SIZE - 1 - used : 0);
    uint32_t suppressed = __atomic_exchange_n(&site->suppressed, 0, __ATOMIC_RELAXED);
    if (suppressed > 0) {
        n = snprintf(line + used, SUPPRESSED_SIZE, " suppressed=%u", suppressed);
        used += (size_t)n;
    }
    line[used++] = '\n';
    write_line(line, used);
    errno = saved;
}
