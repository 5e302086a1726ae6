/* A server's connection whose records the kernel seals. The kernel is one of ours: it takes the key
 * as Linux does, and seals by the forger's hand. Where Linux itself can do it, it does it too. */
#include "common/tls/engine_internal.h"
#include "tests/unit/common/tls/forger.h"
#include <errno.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FD = 12345, ALERT = 21, HANDSHAKE = 22, DATA = 23 };

static uint8_t buf[20000];

/* --- a kernel --- */

static struct {
    int ulp_error, key_error, send_error; /* 0: it does it */
    int keys;                             /* that it was given */
    struct forger_way way;
    uint8_t wire[70000];
    size_t len;
} fake;

static int fake_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    struct tls12_crypto_info_aes_gcm_128 info;
    int *error = level == IPPROTO_TCP ? &fake.ulp_error : &fake.key_error;
    assert_int_equal(fd, FD);
    if (*error != 0) {
        errno = *error;
        return -1;
    }
    if (level == IPPROTO_TCP) {
        assert_int_equal(name, TCP_ULP);
        assert_string_equal(value, "tls");
        return 0;
    }
    assert_int_equal(level, 282);
    assert_int_equal(name, TLS_TX);
    assert_int_equal(len, sizeof(info));
    memcpy(&info, value, sizeof(info));
    assert_int_equal(info.info.version, 0x304);
    assert_int_equal(info.info.cipher_type, TLS_CIPHER_AES_GCM_128);
    memcpy(fake.way.key, info.key, 16);
    memcpy(fake.way.iv, info.salt, 4);
    memcpy(fake.way.iv + 4, info.iv, 8);
    fake.way.number = 0;
    for (int i = 0; i < 8; i++)
        fake.way.number = fake.way.number << 8 | info.rec_seq[i];
    fake.keys++;
    return 0;
}

static ssize_t fake_sendmsg(int fd, const struct msghdr *message, int flags)
{
    const struct cmsghdr *control = CMSG_FIRSTHDR(message);
    assert_int_equal(fd, FD);
    assert_int_equal(flags, MSG_NOSIGNAL);
    assert_int_equal(message->msg_iovlen, 1);
    if (control == NULL) {
        fail_msg("a record without its type");
        return -1;
    }
    assert_true(control->cmsg_level == 282 && control->cmsg_type == TLS_SET_RECORD_TYPE);
    if (fake.send_error != 0) {
        errno = fake.send_error;
        return -1;
    }
    fake.len += forger_seal(&fake.way, *CMSG_DATA(control), message->msg_iov->iov_base,
                            message->msg_iov->iov_len, 0, fake.wire + fake.len);
    return (ssize_t)message->msg_iov->iov_len;
}

static const struct kernel_calls calls = {fake_setsockopt, fake_sendmsg};

static void open_in_kernel(struct forger *forger)
{
    memset(&fake, 0, sizeof(fake));
    forger_open(forger, 0);
    assert_int_equal(engine_to_kernel(forger->engine, FD, &calls), 0);
    assert_true(tls_engine_in_kernel(forger->engine));
}

/* The user sends TEXT, which the kernel seals. */
static void say(struct forger *forger, const char *text)
{
    fake.len += forger_seal(&fake.way, DATA, text, strlen(text), 0, fake.wire + fake.len);
    tls_engine_kernel_sent(forger->engine, strlen(text));
}

static void expect_wire(struct forger *forger, uint8_t type, const void *bytes, int len)
{
    uint8_t got;
    assert_true(fake.len > 5);
    size_t record = 5 + ((size_t)fake.wire[3] << 8 | fake.wire[4]);
    assert_int_equal(forger_unseal(&forger->theirs, fake.wire, &got, buf), len);
    assert_int_equal(got, type);
    assert_memory_equal(buf, bytes, len);
    fake.len -= record;
    memmove(fake.wire, fake.wire + record, fake.len);
}

static void expect_read(struct forger *forger, const char *text)
{
    assert_int_equal(tls_engine_read(forger->engine, buf, sizeof(buf)), strlen(text));
    assert_memory_equal(buf, text, strlen(text));
}

/* --- keys --- */

/* RFC 8448, 3: the server's application traffic secret, and the key and iv that it becomes. */
static void test_a_known_key(void **state)
{
    (void)state;
    static const uint8_t key[16] = {0x9f, 0x02, 0x28, 0x3b, 0x6c, 0x9c, 0x07, 0xef,
                                    0xc2, 0x6b, 0xb9, 0xf2, 0xac, 0x92, 0xe3, 0x56};
    static const uint8_t iv[12] = {0xcf, 0x78, 0x2b, 0x88, 0xdd, 0x83,
                                   0x54, 0x9a, 0xad, 0xf1, 0xe9, 0x84};
    struct records_secrets secrets = {.client_len = 0};
    struct forger forger;
    records_learn(&secrets, "SERVER_TRAFFIC_SECRET_0 00 "
                            "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643");
    records_learn(&secrets, "CLIENT_TRAFFIC_SECRET_0 00 "
                            "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5");
    memset(&fake, 0, sizeof(fake));
    forger_open(&forger, 0);
    struct records *records = records_new(forger.ssl, &secrets, 0x0102030405060708);
    assert_int_equal(kernel_take_over(&calls, FD, records), 0);
    assert_memory_equal(fake.way.key, key, sizeof(key));
    assert_memory_equal(fake.way.iv, iv, sizeof(iv));
    assert_int_equal(fake.way.number, 0x0102030405060708);
    struct records_keys left;
    records_write_keys(records, &left);
    assert_memory_equal(left.key, ((uint8_t[32]){0}), 32);
    assert_memory_equal(left.iv, ((uint8_t[12]){0}), 12);
    records_free(records);
    forger_close(&forger);
}

static void test_both_ends_talk(void **state)
{
    (void)state;
    struct forger forger;
    open_in_kernel(&forger);
    for (int i = 0; i < 3; i++) {
        say(&forger, "pong");
        expect_wire(&forger, DATA, "pong", 4);
        forger_send(&forger, DATA, "ping", 4, 0);
        expect_read(&forger, "ping");
    }
    forger_close(&forger);
}

static void test_alerts_go_with_their_type(void **state)
{
    (void)state;
    struct forger forger;
    open_in_kernel(&forger);
    fake.send_error = EAGAIN;
    tls_engine_close(forger.engine);
    assert_int_equal(tls_engine_kernel_flush(forger.engine, FD), 1);
    fake.send_error = 0;
    assert_int_equal(tls_engine_kernel_flush(forger.engine, FD), 0);
    assert_int_equal(tls_engine_kernel_flush(forger.engine, FD), 0);
    expect_wire(&forger, ALERT, (uint8_t[]){1, 0}, 2);
    assert_int_equal(fake.len, 0);
    forger_close(&forger);
    open_in_kernel(&forger);
    forger_send(&forger, HANDSHAKE, "xxxx", 4, 0);
    assert_int_equal(tls_engine_read(forger.engine, buf, sizeof(buf)), 0);
    assert_int_equal(tls_engine_state(forger.engine), TLS_FAILED);
    assert_int_equal(tls_engine_kernel_flush(forger.engine, FD), 0);
    expect_wire(&forger, ALERT, (uint8_t[]){2, 10}, 2);
    fake.send_error = ECONNRESET;
    forger_close(&forger);
}

static void test_keys_change(void **state)
{
    (void)state;
    struct forger forger;
    open_in_kernel(&forger);
    for (int i = 0; i < 3; i++) {
        forger_send(&forger, HANDSHAKE, (uint8_t[]){24, 0, 0, 1, 1}, 5, 0);
        forger_turn(&forger.ours);
        assert_int_equal(tls_engine_read(forger.engine, buf, sizeof(buf)), 0);
        assert_int_equal(tls_engine_kernel_flush(forger.engine, FD), 0);
        assert_int_equal(fake.keys, 2 + i);
        expect_wire(&forger, HANDSHAKE, (uint8_t[]){24, 0, 0, 1, 0}, 5);
        forger_turn(&forger.theirs);
        say(&forger, "pong");
        expect_wire(&forger, DATA, "pong", 4);
        forger_send(&forger, DATA, "ping", 4, 0);
        expect_read(&forger, "ping");
    }
    forger_send(&forger, HANDSHAKE, (uint8_t[]){24, 0, 0, 1, 1}, 5, 0);
    assert_int_equal(tls_engine_read(forger.engine, buf, sizeof(buf)), 0);
    fake.key_error = EBUSY;
    assert_int_equal(tls_engine_kernel_flush(forger.engine, FD), -EBUSY);
    forger_close(&forger);
}

static void test_the_key_is_worn(void **state)
{
    (void)state;
    struct forger forger;
    open_in_kernel(&forger);
    records_count_written(forger.engine->records, RECORDS_WORN - 4);
    fake.way.number += RECORDS_WORN - 4;
    forger.theirs.number += RECORDS_WORN - 4;
    say(&forger, "one");
    assert_int_equal(tls_engine_kernel_flush(forger.engine, FD), 0);
    expect_wire(&forger, DATA, "one", 3);
    assert_int_equal(fake.len, 0);
    tls_engine_kernel_sent(forger.engine, RECORDS_PLAIN + 1); /* two records */
    fake.way.number += 2;
    forger.theirs.number += 2;
    assert_int_equal(tls_engine_kernel_flush(forger.engine, FD), 0);
    expect_wire(&forger, HANDSHAKE, (uint8_t[]){24, 0, 0, 1, 0}, 5);
    forger_turn(&forger.theirs);
    say(&forger, "again");
    expect_wire(&forger, DATA, "again", 5);
    forger_close(&forger);
}

/* --- who is not taken over goes on as before --- */

static void expect_refused(struct forger *forger, int error)
{
    assert_int_equal(engine_to_kernel(forger->engine, FD, &calls), error);
    assert_false(tls_engine_in_kernel(forger->engine));
    uint8_t type;
    assert_int_equal(tls_engine_write(forger->engine, "pong", 4), 4);
    assert_int_equal(forger_receive(forger, &type, buf), 4);
    forger_close(forger);
}

static void test_refusals(void **state)
{
    (void)state;
    struct forger forger;
    memset(&fake, 0, sizeof(fake));
    forger_open(&forger, 0);
    fake.ulp_error = ENOENT;
    expect_refused(&forger, -ENOENT);
    forger_open(&forger, 0);
    fake.ulp_error = 0;
    fake.key_error = EINVAL; /* it does not know the cipher */
    expect_refused(&forger, -EINVAL);
    fake.key_error = 0;
    forger_open(&forger, TLSEXT_max_fragment_length_512); /* the kernel's records are long */
    expect_refused(&forger, -EOPNOTSUPP);
    forger_open(&forger, 0);
    tls_engine_write(forger.engine, "waits", 5);
    assert_int_equal(engine_to_kernel(forger.engine, FD, &calls), -EBUSY);
    forger_close(&forger);
    assert_int_equal(fake.keys, 0);
}

static int probed_error[3]; /* of each call in turn */
static int probed;

static int probed_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    (void)fd;
    (void)value;
    (void)len;
    assert_true(probed < 3);
    assert_int_equal(level, probed == 0 ? IPPROTO_TCP : 282);
    assert_int_equal(name, probed == 0 ? TCP_ULP : TLS_TX);
    errno = probed_error[probed++];
    return errno == 0 ? 0 : -1;
}

static void expect_probe(int first, int second, int third, int result)
{
    const struct kernel_calls own = {probed_setsockopt, fake_sendmsg};
    probed = 0;
    memcpy(probed_error, (int[]){first, second, third}, sizeof(probed_error));
    assert_int_equal(kernel_probe(&own), result);
}

static void test_the_probe(void **state)
{
    (void)state;
    expect_probe(ENOENT, 0, 0, -ENOENT);
    expect_probe(0, EINVAL, 0, -EINVAL);
    expect_probe(0, 0, EBUSY, -EBUSY);
    expect_probe(0, 0, 0, 0);
}

/* --- Linux --- */

static void connect_pair(int ends[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    ends[1] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    assert_int_equal(connect(ends[1], (struct sockaddr *)&address, sizeof(address)), 0);
    ends[0] = accept(listener, NULL, NULL);
    assert_true(ends[0] >= 0);
    close(listener);
}

static void expect_from(int fd, struct forger *forger, uint8_t type, const void *bytes, int len)
{
    uint8_t record[20000], got;
    assert_int_equal(recv(fd, record, 5, MSG_WAITALL), 5);
    size_t body = (size_t)record[3] << 8 | record[4];
    assert_int_equal(recv(fd, record + 5, body, MSG_WAITALL), body);
    assert_int_equal(forger_unseal(&forger->theirs, record, &got, buf), len);
    assert_int_equal(got, type);
    assert_memory_equal(buf, bytes, len);
}

/* 0: it changes keys; -EBUSY: it does not. Skips if it has no TLS. */
static int probe_linux(void)
{
    int rc = kernel_probe(&kernel_calls);
    if (rc != 0 && rc != -EBUSY) {
        print_message("this kernel has no TLS: skipped\n");
        skip();
    }
    return rc;
}

static void open_in_linux(struct forger *forger, int ends[2])
{
    connect_pair(ends);
    forger_open(forger, 0);
    assert_int_equal(tls_engine_to_kernel(forger->engine, ends[0]), 0);
}

static void expect_pong(struct forger *forger, const int ends[2])
{
    assert_int_equal(send(ends[0], "pong", 4, 0), 4);
    tls_engine_kernel_sent(forger->engine, 4);
    expect_from(ends[1], forger, DATA, "pong", 4);
}

static void close_all(struct forger *forger, const int ends[2])
{
    close(ends[0]);
    close(ends[1]);
    forger_close(forger);
}

static void test_linux_seals(void **state)
{
    (void)state;
    struct forger forger;
    int ends[2];
    probe_linux();
    open_in_linux(&forger, ends);
    for (int i = 0; i < 3; i++)
        expect_pong(&forger, ends);
    tls_engine_close(forger.engine);
    assert_int_equal(tls_engine_kernel_flush(forger.engine, ends[0]), 0);
    expect_from(ends[1], &forger, ALERT, (uint8_t[]){1, 0}, 2);
    close_all(&forger, ends);
}

static void test_linux_changes_keys(void **state)
{
    (void)state;
    struct forger forger;
    int ends[2], can = probe_linux();
    open_in_linux(&forger, ends);
    expect_pong(&forger, ends);
    forger_send(&forger, HANDSHAKE, (uint8_t[]){24, 0, 0, 1, 1}, 5, 0);
    assert_int_equal(tls_engine_read(forger.engine, buf, sizeof(buf)), 0);
    assert_int_equal(tls_engine_kernel_flush(forger.engine, ends[0]), can);
    expect_from(ends[1], &forger, HANDSHAKE, (uint8_t[]){24, 0, 0, 1, 0}, 5);
    forger_turn(&forger.theirs);
    if (can == 0)
        expect_pong(&forger, ends);
    close_all(&forger, ends);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_known_key),
        cmocka_unit_test(test_both_ends_talk),
        cmocka_unit_test(test_alerts_go_with_their_type),
        cmocka_unit_test(test_keys_change),
        cmocka_unit_test(test_the_key_is_worn),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_the_probe),
        cmocka_unit_test(test_linux_seals),
        cmocka_unit_test(test_linux_changes_keys),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
