/* map_batch.h - carries out one MapBatch on a shard and packs the reply. Main loop only. */
#ifndef IMC_ROUTER_MAP_BATCH_H
#define IMC_ROUTER_MAP_BATCH_H

#include "common/base/mem.h"
#include "common/base/msg.h"
#include "proto/router.pb-c.h"
#include "router/map_shard.h"

enum { MAP_BATCH_ROOM_MAX = 128, MAP_BATCH_KEY_MAX = 255, MAP_BATCH_FOREIGN_MAX = 128 };

/* The reply is put together in ARENA; BATCH may be in it, too. */
struct msg *map_batch_apply(struct map_shard *shard, const Imc__V1__MapBatch *batch,
                            struct arena *arena);

#endif
