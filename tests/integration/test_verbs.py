"""The small operations: send is answered with 5, test with 255."""
import imgo


def empty(connect):
    return b"" if connect.transport == "tcp" else {}


def test_send_is_answered_with_send_reply(shared, connect, uid):
    client = connect(shared.comets[0], shared.api.token(uid))
    client.send(4, b'{"to":"the business"}', 12, ver=3)
    got = client.recv()
    assert (got.ver, got.op, got.seq, got.body) == (3, 5, 12, empty(connect))


def test_send_without_a_body(shared, connect, uid):
    client = connect(shared.comets[0], shared.api.token(uid))
    client.send(4, seq=13)
    got = client.recv()
    assert (got.op, got.seq, got.body) == (5, 13, empty(connect))


def test_test_is_answered_with_its_words(shared, connect, uid):
    client = connect(shared.comets[0], shared.api.token(uid))
    client.send(254, b"anything", 14)
    got = client.recv()
    assert (got.op, got.seq) == (255, 14)
    assert got.body == (b'{"test":"come on"}' if connect.transport == "tcp" else {"test": "come on"})


def test_a_frame_byte_by_byte(shared, connect, uid):
    client = connect(shared.comets[0], shared.api.token(uid))
    data = imgo.frame(254, b"abc", 15) if connect.transport == "tcp" else \
        imgo.ws_frame(1, b'{"ver":1,"op":254,"seq":15,"body":"abc"}')
    for i in range(len(data)):
        client.sock.sendall(data[i:i + 1])
    assert client.recv().seq == 15


def test_the_exact_bytes_of_imgo(shared, connect, uid):
    """As recorded from imgo: measurements.md."""
    token = shared.api.token(uid, f"token-of-35-bytes-for-{uid:013d}")
    assert len(token) == 35
    client = connect(shared.comets[0])
    if connect.transport == "tcp":
        client.sock.sendall(bytes.fromhex("0000003300100001000000070000004d") + token.encode())
        want = bytes.fromhex("0000001000100001000000080000004d")
        push = bytes.fromhex("0000001a001000000000000500000000") + b'{"abc":12}'
    else:
        client.send(7, token, 77)
        want = text_message(b'[{"ver":1,"op":8,"seq":77,"body":{}}]')
        push = text_message(b'[{"ver":0,"op":5,"seq":0,"body":{"abc":12}}]')
    assert raw(client, len(want)) == want
    shared.api.push(uid, '{"abc":12}')
    assert raw(client, len(push)) == push


def text_message(payload):
    return bytes([0x81, len(payload)]) + payload


def raw(client, n):
    client.sock.settimeout(5)
    data = b""
    while len(data) < n:
        got = client.sock.recv(n - len(data))
        assert got, data
        data += got
    return data
