/* bus.h - Kafka, as the settings of [bus] name it, for what produces to it. Main loop only. */
#ifndef IMC_LOGIC_BASE_BUS_H
#define IMC_LOGIC_BASE_BUS_H

#include "common/kafka/producer_instance.h"
#include "logic/base/logic.h"

static inline uint64_t logic_bus_now_ms(void *arg)
{
    return logic_now_ms(arg);
}

/* Messages are dated by Redis's clock. */
static inline struct producer_bus logic_producer_bus(struct logic *logic)
{
    return (struct producer_bus){
        .loop = logic->loop,
        .client_id = "imc-logic",
        .brokers = logic->config->bus_brokers,
        .options = logic->config->bus_options,
        .replication = (int)logic->config->bus_replication,
        .now_ms = logic_bus_now_ms,
        .arg = logic,
    };
}

#endif
