/* routers_fixture.h - routers without routers: fakes in place of pipes and membership; ring, wheel
 * and packing are the real ones. A test fills a batch and answers it by hand. */
#ifndef IMC_TESTS_LOGIC_ROUTERS_FIXTURE_H
#define IMC_TESTS_LOGIC_ROUTERS_FIXTURE_H

#include "common/base/mem.h"
#include "common/rpc/pipe.h"
#include "logic/router/routers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

/* --- fakes --- */

struct pipe {
    const struct pipe_ops *ops;
    void *arg;
    char address[128];
    bool up, open, kicked;
};
static struct pipe pipes[4];
static int n_pipes;

struct pipe *pipe_open(struct loop *loop, struct rpc *rpc, const char *address,
                       const struct pipe_options *options, const struct pipe_ops *ops, void *arg)
{
    struct pipe *pipe = &pipes[n_pipes++];
    (void)loop;
    (void)rpc;
    assert_string_equal(options->path, "/imc.v1.Router/Map");
    *pipe = (struct pipe){.ops = ops, .arg = arg, .up = true, .open = true};
    snprintf(pipe->address, sizeof pipe->address, "%s", address);
    return pipe;
}

void pipe_want(struct pipe *pipe, const struct rpc_name *name)
{
    (void)pipe;
    (void)name;
}

void pipe_kick(struct pipe *pipe)
{
    pipe->kicked = true;
}

bool pipe_is_up(const struct pipe *pipe)
{
    return pipe->up;
}

const char *pipe_address(const struct pipe *pipe)
{
    return pipe->address;
}

void pipe_close(struct pipe *pipe)
{
    pipe->open = false;
}

static struct member members[4];
static struct member_list list = {.members = members};

const struct member_list *membership_list(const struct membership *membership,
                                          enum member_kind kind)
{
    (void)membership;
    assert_int_equal(kind, MEMBER_ROUTER);
    return &list;
}

/* --- */

static _Atomic int64_t counters[LOGIC_METRIC_COUNT];
static struct logic_config config = {.router_timeout_ms = 1000, .router_window = 2};
static struct daemon fake_daemon;
static struct loop loop;
static struct logic logic = {
    .config = &config, .counters = counters, .loop = &loop, .daemon = &fake_daemon};

static void routers_are(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        snprintf(members[i].id, sizeof members[i].id, "router-%zu", i);
        snprintf(members[i].rpc, sizeof members[i].rpc, "10.0.0.%zu:7270", i);
        members[i].epoch = 1;
        members[i].weight = 1;
    }
    list.n = n;
    routers_update(logic.routers);
}

static int setup(void **state)
{
    (void)state;
    memset(counters, 0, sizeof counters);
    n_pipes = 0;
    int err = loop_init(&loop, "test", 0);
    logic.routers = routers_open(&logic);
    return err;
}

static int teardown(void **state)
{
    (void)state;
    routers_close(logic.routers);
    loop_close(&loop);
    return 0;
}

static Imc__V1__MapBatch *fill(struct pipe *pipe, uint64_t seq, void **batch)
{
    struct msg *msg = pipe->ops->fill(pipe, pipe->arg, seq, batch);
    if (msg == NULL)
        return NULL;
    Imc__V1__MapBatch *map = imc__v1__map_batch__unpack(NULL, msg->len, msg->data);
    msg_unref(msg);
    assert_true(map->seq == seq);
    return map;
}

static void answer(struct pipe *pipe, void *batch, const Imc__V1__MapReply *reply)
{
    struct msg *msg = msg_new(imc__v1__map_reply__get_packed_size(reply));
    imc__v1__map_reply__pack(reply, msg->data);
    pipe->ops->answered(pipe, pipe->arg, batch, pipe->ops->decode(msg));
}

#endif
