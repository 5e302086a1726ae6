/* markdown.h - the table of /v1 as Markdown, for docs/. Pure. */
#ifndef IMC_LOGIC_HTTP_V1_MARKDOWN_H
#define IMC_LOGIC_HTTP_V1_MARKDOWN_H

#include <stdio.h>

struct logic_config;

/* A section for each call, then the objects that they share. Limits are those of CONFIG. */
void markdown_print(FILE *out, const struct logic_config *config);

#endif
