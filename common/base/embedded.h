/* embedded.h - a file that the build puts into the program: scripts/embed.cmake makes an array of
 * them. */
#ifndef IMC_COMMON_BASE_EMBEDDED_H
#define IMC_COMMON_BASE_EMBEDDED_H

#include <stddef.h>

struct embedded_file {
    const char *name;           /* "imc/client.js"; "" or one that ends in "/": a folder's page */
    const char *type;           /* of its content: "text/css; charset=utf-8" */
    const unsigned char *bytes; /* LEN of them, and no NUL behind */
    size_t len;
};

#endif
