#include "common/base/log_args.h"

#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct conversion {
    bool zero, flagged;
    int width, precision;   /* -1: none */
    bool width_is_argument; /* "*" */
    bool precision_is_argument;
    bool is_long; /* l, ll, z, j or t; what is shorter comes as int */
    char letter;
    const char *end;
};

static int read_number(const char **at)
{
    int n = 0;

    for (; **at >= '0' && **at <= '9'; (*at)++)
        n = n < LOG_PIECE_MAX ? n * 10 + (**at - '0') : n;
    return n;
}

static bool read_size(const char **at)
{
    bool is_long = false;

    for (; **at != '\0' && strchr("hlzjt", **at) != NULL; (*at)++)
        is_long = **at != 'h';
    return is_long;
}

/* FMT is at '%'. */
static struct conversion read_conversion(const char *fmt)
{
    struct conversion is = {.width = -1, .precision = -1};
    const char *at = fmt + 1;

    for (; *at != '\0' && strchr("-0+ #", *at) != NULL; at++) {
        is.zero = is.zero || *at == '0';
        is.flagged = true;
    }
    is.width_is_argument = *at == '*';
    if (is.width_is_argument)
        at++;
    else if (*at >= '1' && *at <= '9')
        is.width = read_number(&at);
    if (*at == '.') {
        at++;
        is.precision_is_argument = *at == '*';
        if (is.precision_is_argument)
            at++;
        else
            is.precision = read_number(&at);
    }
    is.is_long = read_size(&at);
    is.letter = *at;
    is.end = *at != '\0' ? at + 1 : at;
    return is;
}

/* The analyzer does not follow a va_list into a struct.
 * NOLINTBEGIN(clang-analyzer-valist.Uninitialized) */

_Static_assert(sizeof(long) == sizeof(int64_t) && sizeof(size_t) == sizeof(int64_t) &&
                   sizeof(intmax_t) == sizeof(int64_t) && sizeof(long long) == sizeof(int64_t),
               "all that is longer than int is taken alike");

static int64_t take_signed(struct log_args *args, bool is_long)
{
    return is_long ? va_arg(args->list, int64_t) : va_arg(args->list, int);
}

static uint64_t take_unsigned(struct log_args *args, bool is_long)
{
    return is_long ? va_arg(args->list, uint64_t) : va_arg(args->list, unsigned);
}

static struct log_piece take_real(struct log_args *args, const struct conversion *is)
{
    double value = va_arg(args->list, double);
    int digits = is->precision < 0 ? 6 : is->precision > 40 ? 40 : is->precision;
    int n = is->letter == 'f' || is->letter == 'F'
                ? snprintf(args->text, sizeof args->text, "%.*f", digits, value)
                : snprintf(args->text, sizeof args->text, "%.*g", digits, value);

    return (struct log_piece){args->text, (size_t)n, isfinite(value)};
}

static struct log_piece take_text(struct log_args *args, const struct conversion *is)
{
    const char *text = va_arg(args->list, const char *);

    if (text == NULL)
        text = "(null)";
    return (struct log_piece){
        text, is->precision < 0 ? strlen(text) : strnlen(text, (size_t)is->precision), false};
}

static struct log_piece take_hex(struct log_args *args, const struct conversion *is)
{
    uint64_t value = take_unsigned(args, is->is_long);
    int width = is->width > 32 ? 32 : is->width < 0 ? 0 : is->width;
    int n = is->zero ? snprintf(args->text, sizeof args->text, "%0*" PRIx64, width, value)
                     : snprintf(args->text, sizeof args->text, "%*" PRIx64, width, value);

    return (struct log_piece){args->text, (size_t)n, false};
}

static struct log_piece take_integer(struct log_args *args, const struct conversion *is)
{
    bool is_signed = is->letter == 'd' || is->letter == 'i';
    uint64_t value =
        is_signed ? (uint64_t)take_signed(args, is->is_long) : take_unsigned(args, is->is_long);
    int n = is_signed ? snprintf(args->text, sizeof args->text, "%" PRId64, (int64_t)value)
                      : snprintf(args->text, sizeof args->text, "%" PRIu64, value);

    return (struct log_piece){args->text, (size_t)n, is_signed || value <= INT64_MAX};
}

static struct log_piece take_byte(struct log_args *args)
{
    args->text[0] = (char)va_arg(args->list, int);
    return (struct log_piece){args->text, 1, false};
}

static struct log_piece take_pointer(struct log_args *args)
{
    int n = snprintf(args->text, sizeof args->text, "%p", va_arg(args->list, void *));

    return (struct log_piece){args->text, (size_t)n, false};
}

struct log_piece log_args_take(struct log_args *args, const char **fmt)
{
    struct conversion is = read_conversion(*fmt);

    *fmt = is.end;
    if (is.letter == '%')
        return (struct log_piece){"%", 1, false};
    if (args->lost)
        return (struct log_piece){"?", 1, false};
    if (is.width_is_argument)
        is.width = va_arg(args->list, int);
    if (is.precision_is_argument)
        is.precision = va_arg(args->list, int);
    switch (is.letter) {
    case 's':
        return take_text(args, &is);
    case 'd':
    case 'i':
    case 'u':
        return take_integer(args, &is);
    case 'x':
    case 'X':
        return take_hex(args, &is);
    case 'f':
    case 'F':
    case 'g':
    case 'G':
    case 'e':
    case 'E':
        return take_real(args, &is);
    case 'c':
        return take_byte(args);
    case 'p':
        return take_pointer(args);
    default:
        args->lost = true;
        return (struct log_piece){"?", 1, false};
    }
}

/* NOLINTEND(clang-analyzer-valist.Uninitialized) */

const char *log_number_end(const char *fmt)
{
    if (*fmt != '%')
        return NULL;
    struct conversion is = read_conversion(fmt);
    bool plain = !is.flagged && is.width < 0 && !is.width_is_argument;
    bool number = is.letter != '\0' && strchr("diufFgGeE", is.letter) != NULL;

    return plain && number ? is.end : NULL;
}
