/* log_args.h - takes the arguments of a printf() format one by one, each as text. Any thread. */
#ifndef IMC_COMMON_BASE_LOG_ARGS_H
#define IMC_COMMON_BASE_LOG_ARGS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* A number as text is never longer. */
enum { LOG_PIECE_MAX = 400 };

struct log_args {
    va_list list;
    char text[LOG_PIECE_MAX]; /* of a number */
    bool lost;                /* an unknown conversion came: the list cannot be read further */
};

struct log_piece {
    const char *text; /* of the caller, or in args->text: until the next call */
    size_t len;
    bool number; /* it is one of JSON's, and an int64_t holds it or it has a decimal point */
};

/* *FMT is at a '%', and is moved behind the conversion. "%%" takes no argument. */
struct log_piece log_args_take(struct log_args *args, const char **fmt);

/* The end of the conversion at FMT, if it is one of a number in JSON's form: decimal, without
 * flags, width and letters behind it. NULL: it is not. */
const char *log_number_end(const char *fmt);

#endif
