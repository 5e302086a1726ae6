/* redis_server.h - a real redis-server for a test: own port and directory, dies with the test. */
#ifndef IMC_TESTS_REDIS_SERVER_H
#define IMC_TESTS_REDIS_SERVER_H

#include <arpa/inet.h>
#include <ftw.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct redis_server {
    pid_t pid;
    int port;
    char address[32];
    char dir[64];
    const char *password; /* NULL = none */
};

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

static inline int pick_port(void)
{
    for (;;) {
        unsigned random = 0;
        if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
            abort();
        int port = 20000 + (int)(random % 10000);
        if (port_is_free(port))
            return port;
    }
}

/* On the port and directory it has already; waits until it answers. */
static inline void redis_server_run(struct redis_server *server)
{
    char port[8];
    (void)snprintf(port, sizeof port, "%d", server->port);
    server->pid = fork();
    if (server->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execlp("redis-server", "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "",
               "--appendonly", "no", "--dir", server->dir, "--logfile", "log", "--requirepass",
               server->password != NULL ? server->password : "", (char *)NULL);
        perror("redis-server (package redis-server)");
        _exit(127);
    }
    for (int i = 0; i < 500; i++) {
        redisContext *c = redisConnect("127.0.0.1", server->port);
        redisReply *reply = c->err == 0 ? redisCommand(c, "PING") : NULL;
        bool answers = reply != NULL;
        freeReplyObject(reply);
        redisFree(c);
        if (answers)
            return;
        usleep(10000);
    }
    (void)fputs("redis-server does not answer within 5 s\n", stderr);
    abort();
}

static inline void redis_server_start(struct redis_server *server, const char *password)
{
    memset(server, 0, sizeof *server);
    server->port = pick_port();
    server->password = password;
    (void)snprintf(server->address, sizeof server->address, "127.0.0.1:%d", server->port);
    (void)snprintf(server->dir, sizeof server->dir, "/tmp/imc-redis-XXXXXX");
    if (mkdtemp(server->dir) == NULL)
        abort();
    redis_server_run(server);
}

static inline void redis_server_kill(struct redis_server *server)
{
    if (server->pid == 0)
        return;
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
