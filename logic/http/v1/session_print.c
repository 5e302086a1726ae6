#include "logic/http/v1/session_print.h"
#include "common/protocol/session_text.h"
#include "logic/http/params.h"

#include <string.h>

void v1_print_session(FILE *out, uint64_t handle, const char *comet)
{
    char session[SESSION_TEXT_MAX];

    session_text_write(handle, comet, session);
    fputs("{\"session\":", out);
    params_write_string(out, session, strlen(session));
    fputs(",\"server\":", out);
    params_write_string(out, comet, strlen(comet));
}

void v1_print_name(FILE *out, const char *name, const char *text)
{
    if (text[0] == '\0')
        return;
    fprintf(out, ",\"%s\":", name);
    params_write_string(out, text, strlen(text));
}

void v1_print_unanswered(FILE *out, const char *const *comets, size_t n)
{
    fputs(",\"unanswered\":[", out);
    for (size_t i = 0; i < n; i++) {
        fputs(i > 0 ? "," : "", out);
        params_write_string(out, comets[i], strlen(comets[i]));
    }
    fputc(']', out);
}
