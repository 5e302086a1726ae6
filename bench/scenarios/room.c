/* room, rooms - N sessions in one room, or R rooms with N/R each; pushes go round the rooms.
 * rooms-small is for several comets, over which the rooms are spread. */
#include "bench/scenarios/scenario.h"

enum { LANES_WHEN_SATURATED = 16, SLOW_RATE = 100 };

static void room_defaults(struct config *config)
{
    scenario_default(&config->connections, 10000);
    scenario_default(&config->rooms, 1);
    scenario_default(&config->rate, 40);
    scenario_default(&config->backlog, 500 * config->connections);
    /* At a slow rate one connection of the business carries all pushes, strictly in order. */
    scenario_default(&config->lanes,
                     config->rate == 0 || config->rate > SLOW_RATE ? LANES_WHEN_SATURATED : 1);
}

static void rooms_defaults(struct config *config)
{
    scenario_default(&config->connections, 10000);
    scenario_default(&config->rooms, config->connections / 10 > 0 ? config->connections / 10 : 1);
    scenario_default(&config->rate, 0);
    scenario_default(&config->lanes, 1);
}

static void rooms_small_defaults(struct config *config)
{
    scenario_default(&config->rate, 200);
    scenario_default(&config->members, MEMBERS_TOGETHER);
    rooms_defaults(config);
}

static int run_room(struct run *run)
{
    const struct push_plan plan = {
        .share = {[STREAM_ROOM] = 1},
        .rate = run->config->rate,
        .seconds = run->config->seconds,
    };

    return scenario_push(run, &plan);
}

const struct scenario scenario_room = {
    "room", "N sessions in one room, --rate pushes a second (0 = as fast as they are accepted)",
    true, room_defaults, run_room};
const struct scenario scenario_rooms = {
    "rooms", "N sessions in --rooms rooms, pushes go round them", true, rooms_defaults, run_room};
const struct scenario scenario_rooms_small = {
    "rooms-small", "the same at 200 pushes a second; all members of a room are on one comet", false,
    rooms_small_defaults, run_room};
