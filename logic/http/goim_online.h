/* goim_online.h - what the calls of /goim/online/ keep between requests. Main loop only. */
#ifndef IMC_LOGIC_HTTP_GOIM_ONLINE_H
#define IMC_LOGIC_HTTP_GOIM_ONLINE_H

struct goim_online;

struct goim_online *goim_online_open(void);
/* Every call has been answered. NULL is fine. */
void goim_online_close(struct goim_online *online);

#endif
