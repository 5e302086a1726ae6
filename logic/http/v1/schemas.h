/* schemas.h - what the calls of /v1 take and answer. operations.c puts them together. */
#ifndef IMC_LOGIC_HTTP_V1_SCHEMAS_H
#define IMC_LOGIC_HTTP_V1_SCHEMAS_H

#include "logic/http/v1/schema.h"

extern const struct schema schema_push, schema_batch;
extern const struct schema schema_accepted, schema_results, schema_document;
extern const struct schema schema_problem;

#endif
