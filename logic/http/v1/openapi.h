/* openapi.h - the table of /v1 as OpenAPI 3.1. Main loop only. */
#ifndef IMC_LOGIC_HTTP_V1_OPENAPI_H
#define IMC_LOGIC_HTTP_V1_OPENAPI_H

#include <stdio.h>

struct logic_config;
struct openapi;

/* Limits are those of CONFIG. */
void openapi_print(FILE *out, const struct logic_config *config);
/* What logic->openapi is: the document, written once. Anybody may ask for it, without a key. NULL
 * is fine. */
void openapi_free(struct openapi *openapi);

#endif
