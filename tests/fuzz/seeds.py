#!/usr/bin/python3
"""Writes what fuzz targets begin with: seeds.py DIRECTORY. A target's inputs go to DIRECTORY/corpus_TARGET.

A fuzzer finds bytes, not JSON with the right names, nor nested protobuf. So each kind of input is here once, right and
wrong; the fuzzer changes it from there.
"""
import base64
import json
import pathlib
import struct
import sys


# --- protobuf: a field is its number, its kind and its value ---

def varint(number):
    number &= (1 << 64) - 1
    out = b''
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def number(field, value):
    return varint(field << 3) + varint(value)


def fixed(field, value):
    return varint(field << 3 | 1) + struct.pack('<Q', value & (1 << 64) - 1)


def text(field, value):
    value = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(value)) + value


# --- proto/bus.proto ---

def session(comet, epoch, handle, key='', room=''):
    return text(1, comet) + fixed(2, epoch) + fixed(3, handle) + text(5, key) + text(6, room)


def to_user(uid, *more):
    return number(2, 5) + text(7, '{"a":1}') + fixed(16, 1 << 20) + fixed(17, uid) + number(18, 1) + b''.join(more)


def to_room(room):
    return number(1, 1) + number(2, 5) + text(5, room) + text(7, 'x') + fixed(16, 1 << 20)


def to_all(speed):
    return number(1, 2) + number(2, 5) + number(3, speed) + text(7, 'x') + fixed(16, 1 << 20)


BUS = [
    to_user(42), to_user(-1), to_user(7, number(21, 1)), to_user(7, fixed(19, 1)),
    to_user(42, text(20, session('c1', 5, 7)), text(20, session('c1', 5, 8, 'k', 'r')), text(20, session('c2', 6, 9))),
    to_user(7, text(6, 'a'), text(6, 'b')), to_user(7, text(20, b'')), to_user(7, text(20, session('c' * 100, 5, 7))),
    to_room('live://1'), to_room('r' * 129), to_all(100), to_all(-1),
    number(2, 1000) + text(4, 'server') + text(6, 'key') + text(7, 'x'),  # of goim's logic
    number(1, 3) + text(7, 'x'), to_user(42) + text(99, 'new'), to_user(42)[:-3],
    number(2, 5) + text(7, 'z' * 300) + fixed(16, 1 << 20) + fixed(17, 42) + number(18, 1),
]


# --- proto/router.proto; the target takes an odd ring for the right one ---

def batch(*parts):
    return fixed(1, 1) + fixed(2, 1) + b''.join(parts)


def comet(name, epoch):
    return text(3, text(1, name) + fixed(2, epoch))


def put(index, uid, handle, key='', room='', most=0):
    return text(4, number(1, index) + fixed(2, uid) + fixed(3, handle) + text(4, key) + text(5, room) + number(6, most))


def delete(index, uid, handle):
    return text(5, number(1, index) + fixed(2, uid) + fixed(3, handle))


def registered(index, loop, loops):
    return text(6, number(1, index) + number(2, loop) + number(3, loops))


def share(index, loop, room, sessions, rising, foreign=''):
    return text(11, number(1, index) + number(2, loop) + text(3, room) + number(4, sessions) + fixed(5, rising) +
                text(6, foreign))


def top(limit, prefix):
    return text(12, number(1, limit) + text(2, prefix))


def lookups(*uids):
    return text(7, struct.pack(f'<{len(uids)}q', *uids))


ROUTER_BATCH = [
    batch(comet('c1', 5), put(0, 1, 11, 'k', 'live://1'), put(0, 1, 12, most=2), put(0, 2, 13), put(5, 2, 13),
          lookups(1, 2)),
    batch(comet('c1', 5), put(0, 1, 14, most=1), put(0, 1, 15, most=1)),
    batch(comet('c1', 5), put(0, 3, 16, 'k' * 300, 'r' * 300)),
    batch(comet('c1', 5), delete(0, 1, 11), delete(0, 9, 99), delete(4, 1, 1)),
    batch(comet('c1', 4), put(0, 1, 17), delete(0, 1, 11), comet('c9', 1), put(1, 1, 18)),
    batch(comet('c1', 5), registered(0, 0, 1), registered(0, 3, 2), registered(9, 0, 1)),
    batch(comet('c1', 5), share(0, 0, 'live://1', 3, 1), share(0, 0, 'live://2', 9, 2), share(0, 1, 'live://1', 0, 3),
          share(7, 0, 'x', 1, 4), share((1 << 32) - 1, 0, 'live://1', 2, 5, 'goim-1'),
          share(1, 0, 'r', 2, 5, 'f' * 300)),
    batch(top(10, 'live://'), top(0, ''), top(5000, 'live'), text(13, 'live://1'), text(13, 'nobody'), number(9, 1),
          number(10, 1)),
    batch(comet('c1', 5), *(share(0, 0, f'r{n}', 1, 6 + n) for n in range(5)), number(9, 1), number(10, 1)),
    batch(text(8, 'c1'), lookups(1, 1, 1)), batch(comet('c1', 5), put(0, 1, 11))[:-4],
    fixed(1, 2) + fixed(2, 2) + comet('c1', 5) + put(0, 1, 11),  # another ring
    batch(comet('', 5), put(0, 1, 11)), batch(comet('i' * 300, 5), put(0, 1, 11)),
]

# --- JSON ---

GOIM_AUTH = [json.dumps(value) for value in (
    {'mid': 123, 'key': 'dev-1', 'room_id': 'live://1000', 'platform': 'web', 'accepts': [1000, 1001],
     'token': 'secret', 'hello': True, 'rooms': ['a', 'b']},
    {'mid': None, 'token': None, 'accepts': [], 'rooms': []}, {}, [],
    {'mid': -1}, {'mid': 1.5}, {'token': 5}, {'key': {}}, {'key': 'k' * 129}, {'key': 'a\0b'}, {'room_id': 'r' * 129},
    {'rooms': 'a'}, {'rooms': [1]}, {'rooms': ['']}, {'rooms': ['a,b']}, {'rooms': ['r' * 120] * 40},
    {'accepts': 5}, {'accepts': ['a']}, {'accepts': [1 << 31]}, {'accepts': list(range(300))},
    {'hello': 1}, {'hello': False})] + ['{"mid":9223372036854775808}', '{"mid":1'] + [
    '1000,1001', '1000,,1001', ','.join(map(str, range(300))), '-1,2147483647']  # and lists of operations

JSON_MODE = ['{"ver":1,"op":7,"seq":1,"body":"token"}', '{"ver":1,"op":7,"seq":1,"body":{"mid":1}}', '{"ver":1,"op":2}',
             '{"op":2,"body":null}', '{"ver":1.5,"op":2}', '{"ver":65536,"op":2}', '{"op":2147483648}', '{"op":"2"}',
             '{"seq":-2147483649,"op":2}', '[{"op":2}]', '{"op":2,"body":[1]}', '{"op":2,"body":5}', '{"op":2']

PARAMS = [json.dumps({'u': uids, 'm': {'a': 1}}) for uids in (
    [1, 2, 3], '1,2,3', [], ['1'], [1.5], 5, '1,,2', '', [1 << 63], list(range(1, 102)),
    ','.join(map(str, range(1, 102))))] + [
    '{"m":1}', '{"u":[1]}', '{"u":[1],"m":1,"u":[2]}', '{"u":[1],"m":', '-5', '500', '501', '1000,1001',
    'cb.x', 'a,b,c',
    'a,,b', 'a,', 'a\rb,c', 'r' * 200 + ',a', 'x' * 1000, '{"uid":5,"room":"r"}', '5 r 1000,1001']

# --- HTTP ---

FORWARDED = ['1.2.3.4', '1.2.3.4, 10.0.0.1', '10.0.0.1, 10.0.0.2', '2001:db8::1', '[2001:db8::1]:443, fd00::1',
             '1.2.3.4:5678', 'unknown, 1.2.3.4', '1.2.3.4,', '::ffff:1.2.3.4', ',', ' 1.2.3.4 ,\t10.0.0.1', 'x' * 200]


def request(line, *headers, body='', host='a'):
    return ''.join(f'{part}\r\n' for part in (line, f'Host: {host}', *headers, '')) + body


def chunked(body, *headers):
    return request('POST / HTTP/1.1', 'Transfer-Encoding: chunked', *headers, body=body)


def sized(size, *headers, body='hello'):
    return request('POST / HTTP/1.1', f'Content-Length: {size}', *headers, body=body)


HTTP = ['\x80' + stream for stream in (  # the first byte says where the rest is cut in two
    request('GET / HTTP/1.1'), request('GET / HTTP/1.1') * 2, '\r\n\r\n' + request('GET / HTTP/1.1'),
    request('GET / HTTP/1.1', 'Connection: close', body='rest'), request('GET / HTTP/2.0'),
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    request('GET / HTTP/1.1', 'Connection: upgrade', 'Upgrade: h2c'), 'GET / HTTP/1.1\r\n\r\n',
    'GET  / HTTP/1.1\r\n\r\n',
    *(request(f'{method} / HTTP/1.1') for method in ('HEAD', 'PUT', 'DELETE', 'PATCH', 'NONSENSE')),
    *(request(f'GET {target} HTTP/1.1') for target in
      ('http://a/b', '/%00', '/?a=%zz', '/?x=%41+b', '/' + 'a' * 20000)),
    request('OPTIONS * HTTP/1.1'), 'POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nab',
    *(request('GET / HTTP/1.1', host=host) for host in
      ('[::1]:7172', '[::g]', '[::1', 'a:99999', 'a b', 'a\r\nHost: a')),
    *(request('GET / HTTP/1.1', header) for header in
      ('A: ' + 'b' * 20000, 'A : b', 'A: b\r\n c', 'A: b\x01', 'A: b\nB: c')),
    request('GET / HTTP/1.1', *(f'A{i}: b' for i in range(200))),
    sized(5), sized(5, 'Content-Length: 5'), sized(-5), sized(5, 'Expect: 100-continue'), sized(9, body='cut'),
    sized(9, 'Content-Type: application/x-www-form-urlencoded', body='a=1&b=%41'),
    sized(5, 'Transfer-Encoding: chunked'), request('POST / HTTP/1.1', 'Transfer-Encoding: gzip'),
    request('POST / HTTP/1.1', 'Transfer-Encoding: chunked, chunked'),
    chunked('5\r\nhello\r\n0\r\n\r\n'), chunked('5;a=b\r\nhello\r\n0\r\nTrailer: x\r\nB: c\r\n\r\n'),
    chunked('0\r\nA: b\r\n c\r\n\r\n'),
    chunked('0\r\nA: b\n\r\n'), chunked('1' + ';' * 20000 + '\r\na\r\n0\r\n\r\n'),
    chunked('1\r\na\r\n' * 3000 + '0\r\n\r\n'),
    chunked('0\r\nA: ' + 'b' * 20000 + '\r\n\r\n'), chunked('5\r\nhel'))]


# --- WebSocket; the first byte is the size of the reads ---

def frame(op, body=b'', fin=1, reserved=0, masked=True, length=0):
    mask = b'\1\2\3\4'
    head = bytes([fin << 7 | reserved << 4 | op])
    if len(body) < 126 and length == 0:
        head += bytes([masked << 7 | len(body)])
    else:
        head += bytes([masked << 7 | (127 if length == 64 else 126)])
        head += struct.pack('>Q' if length == 64 else '>H', len(body))
    return head + (mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(body)) if masked else body)


def close(code, reason=b''):
    return frame(8, struct.pack('>H', code) + reason)


HANDSHAKE = request('GET /sub HTTP/1.1', 'Upgrade: websocket', 'Connection: Upgrade',
                    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13').encode()
WS = [b'\5' + stream for stream in (
    frame(1, b'{"op":2}'), frame(2, bytes(16)), frame(2), HANDSHAKE + frame(1, b'{"op":2}'),
    frame(1, b'a', fin=0) + frame(0, b'b', fin=0) + frame(9, b'p') + frame(0, b'c'),
    frame(1, b'\xc3', fin=0) + frame(0, b'\xbc'), frame(1, b'a', fin=0) + frame(1, b'b'), frame(0, b'x'),
    frame(1, b'\xff'),
    close(1000, b'bye'), close(1005), close(1000, b'\xff'), frame(8), frame(8, b'\3'), frame(9, b'ping'),
    frame(10, b'pong'),
    frame(9, b'x' * 126), frame(9, b'x', fin=0), frame(1, b'x' * 200), frame(1, b'x' * 5000), frame(1, b'x', length=16),
    frame(1, b'x', length=64), frame(1, b'x', masked=False), frame(3), frame(1, reserved=4))]


# --- tokens and key files ---

def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b'=').decode()


def token(header, payload='{"sub":"42","exp":1900000000}'):
    head = json.dumps({'alg': 'HS256', **header})
    return '.'.join(base64url(part) for part in (head.encode(), payload.encode(), bytes(32)))


def claims(more):
    return json.dumps({'sub': '42', 'exp': 1900000000, **more})


def jwks(key):
    return json.dumps({'keys': [{'kid': 'k', 'use': 'sig', **key}]})


CLAIMS = [claims(more) for more in (
    {}, {'sub': 42}, {'sub': -1}, {'sub': 'x'}, {'sub': '9' * 30}, {'sub': [1]}, {'exp': 1700000000}, {'exp': 'x'},
    {'exp': 1e300}, {'exp': 1900000000.5}, {'nbf': 1900000000}, {'nbf': 1}, {'iat': 1},
    {'iat': 1900000000}, {'iat': []}, {'jti': 'id'}, {'jti': 5},
    {'key': 'dev'}, {'key': 'k' * 300}, {'key': 'a\nb'}, {'key': 5},
    {'room': 'r'}, {'room': 'r' * 300}, {'room': []}, {'rooms': 'a,b'}, {'rooms': ['a', 'b']}, {'rooms': ['a,b']},
    {'rooms': [1, '']}, {'rooms': ['r' * 100] * 50}, {'rooms': ['r' * 300]}, {'rooms': 5}, {'rooms': 'a,,b'},
    {'accepts': [1000, 1001]}, {'accepts': '1000,1001'}, {'accepts': ['x']}, {'accepts': '1,,2'}, {'accepts': 1 << 40},
    {'aud': 'a', 'iss': 'b'}, {'aud': ['c', 'a'], 'iss': 'b'}, {'aud': ['c'], 'iss': 'b'}, {'aud': 5, 'iss': 'b'})]
CLAIMS += ['{"exp":1900000000}', '{"sub":"1"}']

TOKENS = [token(header) for header in (
    {}, {'kid': 'k'}, {'kid': 5}, {'kid': 'k' * 300}, {'typ': 'JWT'}, {'alg': 'none'}, {'alg': 5}, {'alg': 'ES256'},
    {'jwk': {}}, {'crit': ['x']}, {'x5u': 'x'}, {'a': [[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]})]
TOKENS += [token({}, payload) for payload in ('[]', '{"sub":1,"sub":2}', '{', '{"sub":"\\ud800"}')]
TOKENS += ['a.b.c', 'a.b', '..', 'e30.e30.AA', f'{base64url(b"[]")}.e30.AA', f'{token({})}.x', token({}) + '=']

# A point of P-256: its base point.
GX = base64url(bytes.fromhex('6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296'))
GY = base64url(bytes.fromhex('4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5'))
MODULUS, SECRET = base64url(b'\xc1' * 256), base64url(bytes(64))
JWKS = [jwks(key) for key in (
    {'kty': 'oct', 'k': SECRET, 'alg': 'HS256'}, {'kty': 'oct', 'k': 'AA'}, {'kty': 'oct', 'k': '*'}, {'kty': 'oct'},
    {'kty': 'RSA', 'n': MODULUS, 'e': 'AQAB'}, {'kty': 'RSA', 'n': 'AQAB', 'e': 'AQAB'}, {'kty': 'RSA', 'n': MODULUS},
    {'kty': 'RSA', 'n': MODULUS, 'e': 'AQAB', 'alg': 'PS256'},
    {'kty': 'RSA', 'n': MODULUS, 'e': 'AQAB', 'alg': 'ES256'},
    {'kty': 'EC', 'crv': 'P-256', 'x': GX, 'y': GY}, {'kty': 'EC', 'crv': 'P-256', 'x': GX, 'y': GX},
    {'kty': 'EC', 'crv': 'P-384', 'x': GX, 'y': GY}, {'kty': 'EC', 'crv': 'P-256', 'x': GX},
    {'kty': 'OKP', 'crv': 'Ed25519', 'x': GX}, {'kty': 'OKP', 'crv': 'Ed25519', 'x': 'AA'},
    {'kty': 'OKP', 'crv': 'X25519', 'x': GX},
    {'kty': 'other'}, {'use': 'enc', 'kty': 'oct', 'k': SECRET}, {'kid': 5, 'kty': 'oct', 'k': SECRET},
    {'kid': 'k' * 300, 'kty': 'oct', 'k': SECRET}, {'alg': 5, 'kty': 'oct', 'k': SECRET},
    {'alg': 'x', 'kty': 'oct', 'k': SECRET},
    {'kty': 'EC', 'crv': 'P-256', 'x': GX, 'y': GY, 'd': GX},
    {'kty': 'EC', 'key_ops': ['verify'], 'crv': 'P-256', 'x': GX, 'y': GY},
    {'kty': 'EC', 'key_ops': ['sign', 5], 'crv': 'P-256', 'x': GX, 'y': GY})]
JWKS += ['{"keys":5}', '{"keys":[]}', '{"keys":[5]}', json.dumps({'keys': [{'kty': 'oct', 'k': SECRET}] * 100})]

DIGEST, OTHER = 'sha256:' + '5a' * 32, 'sha256:' + '5b' * 32
KEYS = [f'# keys\n\nshop push,read {DIGEST}\nops\tadmin {OTHER}  # all\n', f'a push {DIGEST}\na read {OTHER}\n',
        f'a push {DIGEST}\nb read {DIGEST}\n',
        *(f'a {scopes} {DIGEST}' for scopes in ('push,push', 'all', ',', 'push,')),
        f'a, push {DIGEST}', f'a push {DIGEST} b', f'{"a" * 100} push {DIGEST}', f'a\0 push {DIGEST}',
        f'a push {DIGEST}\r\n',
        *(f'a push {digest}' for digest in ('md5:00', 'sha256:5a', 'sha256:' + '5A' * 32, 'sha256:' + '5g' * 32)),
        'a push', 'a', ''.join(f'k{i} push sha256:{i:064x}\n' for i in range(2000))]

PUSH = {'to': {'uids': [1, -9, 9223372036854775807]}, 'body': {'a': [1, 'x']}}
V1 = [json.dumps({**PUSH, **more}) for more in (
    {}, {'op': 77, 'ttl': 60, 'id': 'k'}, {'to': {'keys': ['a', 'b']}}, {'to': {'rooms': ['live://1', 'b']}},
    {'to': {'rooms': ['a', 'a']}}, {'to': {'all': True}, 'speed': 9}, {'to': {'all': False}}, {'to': {}}, {'to': 5},
    {'to': {'uids': [1], 'all': True}}, {'op': 6}, {'op': -1}, {'op': 1.5}, {'op': '5'}, {'op': 10 ** 30}, {'ttl': 10 ** 9},
    {'id': ''}, {'id': 'k' * 200}, {'id': 'a\nb'}, {'id': 5}, {'id': '\u20ac\U0001f600'}, {'x/y~': 1}, {'n' * 300: 1},
    {'body_base64': 'AAE='}, {'to': {'uids': list(range(60))}}, {'to': {'uids': []}}, {'to': {'uids': 1}},
    {str(i): i for i in range(12)})]
V1 += [json.dumps({'to': {'all': True}, 'body_base64': text})
       for text in ('AAE=', 'AA==', 'AAAA', 'A', 'A===', '=', '*', '', 5)]
V1 += [f'[{V1[0]}, {V1[1]}]', '[' + '1,' * 20 + '1]', '[]', '[{}]', '{}', '5', ' "a" ', '{"to":{"all":true},"body":1,"body":2}',
       r'{"to":{"keys":["\b\f\n\r\t\/\\\"\u00e4\u20ac\ud83d\ude00"]},"body":1}',
       r'{"to":{"keys":["\u00e4\u20ac\ud83d\ude00A\/"]},"body":1}', '12', '-3', '13', 'true', 'false', 'tcp', '2' * 19]

WEBHOOK_ANSWER = [json.dumps(answer) for answer in (
    {'replies': [{'id': 'a', 'reply': {'b': [1, 2.5]}}, {'id': 'b', 'reply': 'text'}, {'id': 'c', 'reply_base64': 'AP8='}]},
    {'replies': [{'id': '\u20ac\U0001f600', 'reply': None}, {'id': 'a'}, {}]}, {'replies': [{'id': 'i' * 129}]}, {'replies': []},
    {'replies': {}}, {'replies': [5]}, {'replies': [{'id': 'a', 'reply_base64': 'A'}]}, [], {},
    {'replies': [{'id': str(i)} for i in range(60)]})]
WEBHOOK_ANSWER += ['{"replies":[{"id":"a","id":"b"}]}', '{"replies":[{"id":"a","reply":1,"reply_base64":"AA=="}]}', ' \r\n', '120',
                   'Sun, 06 Nov 1994 08:50:07 GMT', 'AP8=', 'AP8A', 'AA==', 'A===']

# --- proto/report.proto ---

def sample(slot, *values):
    packed = b''.join(varint(value << 1 ^ value >> 63) for value in values)
    return text(7, fixed(1, slot) + text(2, packed))


def setting(name, value, init='', changed=0):
    return text(9, text(1, name) + text(2, value) + text(3, init) + number(4, changed))


def refusal(name, total, lately):
    return text(11, text(1, name) + fixed(2, total) + fixed(3, lately))


def report(kind, id, *more):
    return fixed(1, 1) + text(2, kind) + text(3, id) + fixed(4, 5) + text(5, '1.0') + b''.join(more)


REPORT = [
    report('comet', 'c1', sample(998, 1, 2), sample(999, 3, -4), text(8, 'ready: redis'), fixed(10, 1 << 30)),
    report('logic', 'l1', setting('lease.ttl', '7s', '7s'), setting('n' * 200, 'v' * 5000, 'i' * 5000, 1)),
    report('job', 'j' * 100, refusal('imc_x{a="b"}', 7, 1), refusal('n' * 200, 1, 1), text(8, 'r' * 9000)),
    report('router', 'r1', sample(5000, *range(200)), sample(0, 1), sample(1012, 1)), report('nobody', 'x'),
]

SEEDS = {'v1': V1, 'jwt': CLAIMS + TOKENS + JWKS, 'keys': KEYS, 'bus': BUS, 'router_batch': ROUTER_BATCH, 'goim_auth': GOIM_AUTH,
         'webhook_answer': WEBHOOK_ANSWER, 'report': REPORT,
         'json_mode': JSON_MODE, 'params': PARAMS, 'forwarded': FORWARDED, 'http': HTTP, 'ws': WS}

for target, inputs in SEEDS.items():
    corpus = pathlib.Path(sys.argv[1], f'corpus_{target}')
    corpus.mkdir(parents=True, exist_ok=True)
    for index, data in enumerate(inputs):
        corpus.joinpath(f'seed_{index:02}').write_bytes(data if isinstance(data, bytes) else data.encode('latin-1'))
