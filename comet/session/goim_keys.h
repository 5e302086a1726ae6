/* goim_keys.h - the goim sessions of a loop by their key. Owner loop only.
 *
 * goim's job addresses sessions by key, imc's own by handle. Several sessions may have one key: a
 * device that came back before its old connection was given up. */
#ifndef IMC_COMET_SESSION_GOIM_KEYS_H
#define IMC_COMET_SESSION_GOIM_KEYS_H

struct conn;
struct worker;

/* CONN, whose conn->goim is set, can be found from now on; until goim_keys_remove(). */
void goim_keys_add(struct conn *conn);
void goim_keys_remove(struct conn *conn);
/* The session with KEY that came last, or NULL. The others: conn->goim->key_next. */
struct conn *goim_keys_find(const struct worker *worker, const char *key);
/* Every session has gone. */
void goim_keys_close(struct worker *worker);

#endif
