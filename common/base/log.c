/* log_at() ─► rate limit of the call site ─► one line in a stack buffer ─► log_sink_write()
 *                                             (text, or log_json.h)
 *                 a line that is lost is counted, and told before the next one ◄──┘ */
#include "common/base/log.h"
#include "common/base/log_json.h"
#include "common/base/log_sink.h"
#include "common/base/saturate.h"
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* At most PIPE_BUF, so that lines of several processes do not mix in a pipe. */
#define LINE_SIZE       4096
#define LINES_PER_SITE  10 /* a second */
#define SUPPRESSED_SIZE 32

_Atomic int log_threshold = LOG_INFO;
static _Atomic bool as_json;
static const char *log_daemon = "imc";
static _Atomic uint64_t lost, untold;

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_open(const char *daemon)
{
    log_daemon = daemon;
}

/* The level of that name; -EINVAL: there is none. */
static int level_of(const char *name)
{
    for (int i = LOG_DEBUG; i <= LOG_ERROR; i++) {
        if (strcmp(name, level_names[i]) == 0)
            return i;
    }
    return -EINVAL;
}

bool log_level_is_known(const char *level)
{
    return level_of(level) >= 0;
}

int log_set_level(const char *level)
{
    int i = level_of(level);

    if (i < 0)
        return i;
    atomic_store_explicit(&log_threshold, i, memory_order_relaxed);
    return 0;
}

bool log_format_is_known(const char *format)
{
    return strcmp(format, "text") == 0 || strcmp(format, "json") == 0;
}

int log_set_format(const char *format)
{
    if (!log_format_is_known(format))
        return -EINVAL;
    atomic_store_explicit(&as_json, strcmp(format, "json") == 0, memory_order_relaxed);
    return 0;
}

/* May this line of SITE be printed? Two threads that race when a second begins may print a line too
 * many or too few. Every line that is not printed is counted all the same. */
static bool admit(struct log_site *site, uint64_t second)
{
    uint64_t last = atomic_load_explicit(&site->second, memory_order_relaxed);
    if (last != second &&
        atomic_compare_exchange_strong_explicit(&site->second, &last, second, memory_order_relaxed,
                                                memory_order_relaxed))
        atomic_store_explicit(&site->printed, 0, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&site->printed, 1, memory_order_relaxed) < LINES_PER_SITE)
        return true;
    atomic_fetch_add_explicit(&site->suppressed, 1, memory_order_relaxed);
    return false;
}

/* "2026-11-22T10:00:00". Each thread calls gmtime_r() only once per second. */
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

/* One or two lines that are written at once: LINE_SIZE bytes together. */
struct line {
    char text[LINE_SIZE];
    size_t used;
};

/* What a line says beside its format. */
struct saying {
    struct timespec now;
    enum log_level level;
    const char *event;
    uint32_t suppressed; /* 0: not told */
};

/* What is left, with SUPPRESSED_SIZE and a line feed kept free. */
static size_t room(const struct line *line)
{
    const size_t most = LINE_SIZE - SUPPRESSED_SIZE - 1;
    return saturate_sub(most, line->used);
}

static void add_head(struct line *line, const struct saying *saying)
{
    size_t space = room(line);
    int n = snprintf(line->text + line->used, space + 1, "%s.%03ldZ %-5s %s %s",
                     second_text(saying->now.tv_sec), saying->now.tv_nsec / 1000000,
                     level_names[saying->level], log_daemon, saying->event);
    line->used += (size_t)n < space ? (size_t)n : space;
}

__attribute__((format(printf, 3, 0))) static void
add_text(struct line *line, const struct saying *saying, const char *fmt, va_list args)
{
    char text[LINE_SIZE];
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): add() or log_write() has begun it */
    if (vsnprintf(text, sizeof(text), fmt, args) < 0)
        text[0] = '\0';
    add_head(line, saying);
    if (text[0] != '\0' && room(line) > 0) {
        line->text[line->used++] = ' ';
        line->used += escape(text, line->text + line->used, room(line));
    }
    if (saying->suppressed > 0)
        line->used += (size_t)snprintf(line->text + line->used, SUPPRESSED_SIZE, " suppressed=%u",
                                       saying->suppressed);
    line->text[line->used++] = '\n';
}

__attribute__((format(printf, 3, 0))) static void
add_json(struct line *line, const struct saying *saying, const char *fmt, va_list args)
{
    const struct log_json_head head = {
        .second = second_text(saying->now.tv_sec),
        .ms = (unsigned)(saying->now.tv_nsec / 1000000),
        .level = level_names[saying->level],
        .daemon = log_daemon,
        .event = saying->event,
        .suppressed = saying->suppressed,
    };
    line->used += log_json_write(line->text + line->used, LINE_SIZE - line->used, &head, fmt, args);
}

__attribute__((format(printf, 3, 0))) static void
add_line(struct line *line, const struct saying *saying, const char *fmt, va_list args)
{
    if (atomic_load_explicit(&as_json, memory_order_relaxed))
        add_json(line, saying, fmt, args);
    else
        add_text(line, saying, fmt, args);
}

__attribute__((format(printf, 3, 4))) static void
add(struct line *line, const struct saying *saying, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    add_line(line, saying, fmt, args);
    va_end(args);
}

/* If lines were lost, begins LINE with a line of its own that says how many. Returns that number,
 * or 0. The caller appends its own line and writes both at once: if that fails, the number is still
 * to be told. */
static uint64_t add_lost(struct line *line, const struct timespec *now)
{
    const struct saying saying = {.now = *now, .level = LOG_WARN, .event = "log lines lost"};
    if (atomic_load_explicit(&untold, memory_order_relaxed) == 0)
        return 0;
    uint64_t n = atomic_exchange_explicit(&untold, 0, memory_order_relaxed);
    if (n > 0)
        add(line, &saying, "lines=%llu; nobody read standard error", (unsigned long long)n);
    return n;
}

/* Writes LINE. TELLS is what add_lost() returned for it. LINES is the number of lines beside that
 * one. False: LINE was lost, and both are counted again. */
static bool line_out(const struct line *line, uint64_t tells, uint64_t lines)
{
    if (log_sink_write(line->text, line->used))
        return true;
    atomic_fetch_add_explicit(&lost, lines, memory_order_relaxed);
    atomic_fetch_add_explicit(&untold, tells + lines, memory_order_relaxed);
    return false;
}

uint64_t log_lost(void)
{
    return atomic_load_explicit(&lost, memory_order_relaxed);
}

bool log_tell_lost(void)
{
    struct line line;
    struct timespec now;
    line.used = 0;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t tells = add_lost(&line, &now);
    return tells == 0 || line_out(&line, tells, 0);
}

void log_write(struct log_site *site, enum log_level level, const char *event, const char *fmt, ...)
{
    struct line line;
    struct saying saying = {.level = level, .event = event};
    int saved = errno;
    va_list args;
    line.used = 0;
    clock_gettime(CLOCK_REALTIME, &saying.now);
    if (!admit(site, (uint64_t)saying.now.tv_sec))
        return;
    uint64_t tells = add_lost(&line, &saying.now);
    saying.suppressed = atomic_exchange_explicit(&site->suppressed, 0, memory_order_relaxed);
    va_start(args, fmt);
    add_line(&line, &saying, fmt, args);
    va_end(args);
    (void)line_out(&line, tells, 1);
    errno = saved;
}
