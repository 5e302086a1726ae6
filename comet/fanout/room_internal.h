/* room_internal.h - the edge opens and closes the loop's rooms. Owner loop only. */
#ifndef IMC_COMET_FANOUT_ROOM_INTERNAL_H
#define IMC_COMET_FANOUT_ROOM_INTERNAL_H

struct edge;

void rooms_open(struct edge *edge);
/* When every connection is closed and no walk is left. */
void rooms_close(struct edge *edge);

#endif
