/* room_internal.h - the frontend opens and closes the loop's rooms. Owner loop only. */
#ifndef IMC_COMET_FANOUT_ROOM_INTERNAL_H
#define IMC_COMET_FANOUT_ROOM_INTERNAL_H

struct frontend;

void rooms_open(struct frontend *frontend);
/* When every connection is closed and no walk is left. */
void rooms_close(struct frontend *frontend);

#endif
