/* redis_server.h - a real redis-server for a test: own port and directory, dies with the test. For
 * a test that moves its clock (clock.h) redis_servers_catch_up() is what to wait for, and
 * redis_server_day is a time of day that is Redis's too. */
#ifndef IMC_TESTS_UNIT_LIB_REDIS_SERVER_H
#define IMC_TESTS_UNIT_LIB_REDIS_SERVER_H

#include <arpa/inet.h>
#include <ftw.h>
#include <hiredis/hiredis.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct redis_server {
    pid_t pid;
    int port;
    char address[32];
    char dir[64];
    const char *password; /* NULL = none */
    redisContext *asking; /* of redis_servers_catch_up() */
    struct redis_server *next;
};

static struct {
    struct redis_server *running; /* all that answer */
    _Atomic int64_t *day;
    int day_fd;
    bool by_real_time; /* those to come, whatever the test's clock does */
} redis_servers;

static inline bool port_is_free(int port)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    bool is_free = bind(fd, (struct sockaddr *)&sin, sizeof sin) == 0;
    close(fd);
    return is_free;
}

/* Out of twenty that no other test has which runs now: whose Redis is down keeps its port. */
static inline int pick_port(void)
{
    enum { FIRST = 20000, EACH = 20, PROCESSES = 500 };
    static int next;
    for (;;) {
        int port = FIRST + (int)getpid() % PROCESSES * EACH + next++ % EACH;
        if (port_is_free(port))
            return port;
    }
}

/* --- a time of day of its own --- */

/* What clock_share_day() takes: zero, and they have the machine's time of day; or when it is. */
static inline _Atomic int64_t *redis_server_day(void)
{
    enum { SIZE = 2 * sizeof(int64_t) };
    if (redis_servers.day != NULL)
        return redis_servers.day;
    int fd = memfd_create("day", 0);
    if (fd < 0 || ftruncate(fd, SIZE) != 0)
        abort();
    _Atomic int64_t *day = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (day == MAP_FAILED)
        abort();
    redis_servers.day_fd = fd;
    redis_servers.day = &day[1];
    return redis_servers.day;
}

/* In the child. What shifts its clock lies beside the tests, in tools/. */
static inline void redis_server_take_day(void)
{
    char path[32], library[PATH_MAX + 32];
    if (redis_servers.by_real_time)
        return;
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", redis_servers.day_fd);
    setenv("CLOCK_SHIFT_FILE", path, 1);
    ssize_t len = readlink("/proc/self/exe", library, PATH_MAX);
    if (len < 0)
        abort();
    library[len] = '\0';
    (void)snprintf(strrchr(library, '/'), 32, "/tools/clock_shift.so");
    setenv("LD_PRELOAD", library, 1);
}

/* --- who answers --- */

static inline void redis_server_joins(struct redis_server *server)
{
    server->next = redis_servers.running;
    redis_servers.running = server;
}

static inline void redis_server_parts(struct redis_server *server)
{
    struct redis_server **at = &redis_servers.running;
    while (*at != NULL && *at != server)
        at = &(*at)->next;
    if (*at != NULL)
        *at = server->next;
    if (server->asking != NULL)
        redisFree(server->asking);
    server->asking = NULL;
}

/* Returns when all that answer have answered what they were sent before: a Redis does one thing
 * after the other, so its second answer here comes after those. */
static inline void redis_servers_catch_up(void)
{
    if (redis_servers.running == NULL)
        (void)poll(NULL, 0, 1);
    for (struct redis_server *s = redis_servers.running; s != NULL; s = s->next) {
        if (s->asking == NULL)
            s->asking = redisConnect("127.0.0.1", s->port);
        freeReplyObject(redisCommand(s->asking, "PING"));
        freeReplyObject(redisCommand(s->asking, "PING"));
    }
}

static inline void redis_server_pause(struct redis_server *server)
{
    redis_server_parts(server);
    kill(server->pid, SIGSTOP);
}

static inline void redis_server_resume(struct redis_server *server)
{
    kill(server->pid, SIGCONT);
    redis_server_joins(server);
}

/* --- its life --- */

static inline bool redis_server_answers(const struct redis_server *server)
{
    redisContext *c = redisConnect("127.0.0.1", server->port);
    redisReply *reply = c->err == 0 ? redisCommand(c, "PING") : NULL;
    bool answers = reply != NULL;
    freeReplyObject(reply);
    redisFree(c);
    return answers;
}

/* With the file "conf" of its directory; HOW: "--sentinel", or NULL. Waits until it answers. */
static inline void redis_server_exec(struct redis_server *server, const char *how)
{
    enum { HOPELESS = 60000 };
    redis_server_day();
    server->pid = fork();
    if (server->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        redis_server_take_day();
        if (chdir(server->dir) == 0)
            execlp("redis-server", "redis-server", "conf", how, (char *)NULL);
        perror("redis-server (package redis-server)");
        _exit(127);
    }
    for (int i = 0; !redis_server_answers(server); i++) {
        if (i == HOPELESS || waitpid(server->pid, NULL, WNOHANG) != 0) {
            (void)fputs("redis-server does not answer\n", stderr);
            abort();
        }
        (void)poll(NULL, 0, 1);
    }
    redis_server_joins(server);
}

/* "conf", and MORE of it. */
static inline void redis_server_configure(const struct redis_server *server, const char *more)
{
    char path[sizeof server->dir + 8];
    (void)snprintf(path, sizeof path, "%s/conf", server->dir);
    FILE *file = fopen(path, "we");
    if (file == NULL)
        abort();
    (void)fprintf(file, "port %d\nbind 127.0.0.1\nlogfile log\n%s\n", server->port, more);
    (void)fclose(file);
}

/* On the port and directory it has already. */
static inline void redis_server_run(struct redis_server *server)
{
    char more[256];
    /* Replicas are not waited for, as they would be for 5 s. */
    (void)snprintf(more, sizeof more,
                   "save \"\"\nappendonly no\nrepl-diskless-sync-delay 0\nrequirepass \"%s\"",
                   server->password != NULL ? server->password : "");
    redis_server_configure(server, more);
    redis_server_exec(server, NULL);
}

/* A port and a directory, and nobody there yet. */
static inline void redis_server_settle(struct redis_server *server, const char *password)
{
    memset(server, 0, sizeof *server);
    server->port = pick_port();
    server->password = password;
    (void)snprintf(server->address, sizeof server->address, "127.0.0.1:%d", server->port);
    (void)snprintf(server->dir, sizeof server->dir, "/tmp/imc-redis-XXXXXX");
    if (mkdtemp(server->dir) == NULL)
        abort();
}

static inline void redis_server_start(struct redis_server *server, const char *password)
{
    redis_server_settle(server, password);
    redis_server_run(server);
}

static inline void redis_server_kill(struct redis_server *server)
{
    if (server->pid == 0)
        return;
    redis_server_parts(server);
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

static inline int redis_server_unlink(const char *path, const struct stat *st, int type,
                                      struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline void redis_server_stop(struct redis_server *server)
{
    redis_server_kill(server);
    nftw(server->dir, redis_server_unlink, 4, FTW_DEPTH | FTW_PHYS);
}

/* One command, blocking, on a connection of its own; the integer of the answer, or -1. */
static inline long long redis_server_do(struct redis_server *server, const char *command)
{
    redisContext *c = redisConnect("127.0.0.1", server->port);
    if (server->password != NULL)
        freeReplyObject(redisCommand(c, "AUTH %s", server->password));
    redisReply *reply = redisCommand(c, command);
    long long result = reply != NULL && reply->type == REDIS_REPLY_INTEGER ? reply->integer : -1;
    freeReplyObject(reply);
    redisFree(c);
    return result;
}

#endif
