// The parts that need no connection: pauses, duplicates, acknowledgements, rooms, addresses, errors.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Acks } from '../src/acks.js';
import { Backoff } from '../src/backoff.js';
import { Emitter } from '../src/emitter.js';
import { ImcError, KickedError, ProtocolError, TokenError, errorOfCode } from '../src/errors.js';
import { Nodes, addressesOf } from '../src/nodes.js';
import { Rooms } from '../src/rooms.js';
import { Seen } from '../src/seen.js';

test('backoff: the bound doubles up to the longest, and a pause is any part of it', () => {
    let part = 1;
    const backoff = new Backoff({ baseMs: 100, maxMs: 1000, factor: 2 }, () => part);
    assert.deepEqual([0, 1, 2, 3, 4, 5].map(() => backoff.next()), [100, 200, 400, 800, 1000, 1000]);
    part = 0;
    assert.equal(backoff.next(), 0);
    backoff.reset();
    part = 0.5;
    assert.equal(backoff.next(), 50);
});

test('backoff: full jitter spreads evenly', () => {
    const backoff = new Backoff({ baseMs: 1000, maxMs: 1000 }), tenths = new Array(10).fill(0);
    for (let i = 0; i < 10_000; i++)
        tenths[Math.floor(backoff.next() / 100)]++;
    for (const n of tenths)
        assert.ok(n > 800 && n < 1200, tenths.join());
});

test('backoff: takes what the cluster says, unless it is nonsense', () => {
    const backoff = new Backoff({ baseMs: 10, maxMs: 20 }, () => 1);
    backoff.adopt({ max_delay: 300, base_delay: 3, factor: 1.5, jitter: 0.3 });
    assert.deepEqual([backoff.next(), backoff.next()], [3000, 4500]);
    for (const said of [undefined, null, 'x', {}, { base_delay: -1, max_delay: 'no' }, { base_delay: 600 },
                        { max_delay: Infinity }, { factor: 0.5 }, { factor: NaN }])
        backoff.adopt(said);
    assert.deepEqual([backoff.baseMs, backoff.maxMs, backoff.factor], [3000, 300_000, 1.5]);
    assert.throws(() => new Backoff({ baseMs: 10, maxMs: 5 }), TypeError);
});

test('seen: keeps the newest ids, as many as told', async () => {
    const seen = new Seen(3), done = Promise.resolve();
    for (const id of ['1', '2', '3', '4'])
        seen.add(id, done);
    assert.equal(seen.size, 3);
    assert.equal(seen.handling('1'), undefined);
    assert.equal(seen.handling('4'), done);
    assert.throws(() => new Seen(0), TypeError);
});

test('seen: a message whose handling fails is new again', async () => {
    const seen = new Seen(3), failed = Promise.reject(new Error('handler'));
    seen.add('1', failed);
    await failed.catch(() => {});
    await Promise.resolve();
    assert.equal(seen.handling('1'), undefined);
});

test('acks: cumulative, in one go, never beyond a message that is being handled', async () => {
    const sent = [], acks = new Acks((seq) => sent.push(seq), 1);
    acks.handled(2);
    acks.handled(3);
    acks.flush();
    assert.deepEqual(sent, []);
    acks.handled(1);
    assert.deepEqual(sent, []); // it waits for others
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.deepEqual(sent, [3]);
    acks.flush();
    assert.deepEqual(sent, [3]);
});

test('acks: a quarter of the window does not wait, an ended session sends nothing', () => {
    const sent = [], acks = new Acks((seq) => sent.push(seq), 1000);
    for (let seq = 1; seq <= 40; seq++)
        acks.handled(seq);
    assert.deepEqual(sent, [16, 32]);
    acks.stop();
    acks.flush();
    assert.deepEqual(sent, [16, 32]);
});

test('acks: sequences of 32 bits go round', () => {
    const sent = [], acks = new Acks((seq) => sent.push(seq), 1000);
    acks.upTo = acks.sent = 0x7fffffff;
    acks.handled(-0x7fffffff);
    acks.handled(-0x80000000);
    acks.flush();
    assert.deepEqual(sent, [-0x7fffffff]);
});

test('rooms: the auth names them, what does not fit comes behind it', () => {
    const many = Array.from({ length: 20 }, (_, i) => `${i}`.padStart(100, 'r')), rooms = new Rooms(many);
    const auth = rooms.forAuth();
    assert.equal(auth.length, 9); // of 101 bytes each, in 1000
    const after = rooms.afterAuth(auth);
    assert.deepEqual(after.map(({ op, list }) => [op, list.split(',')]), [[20, many.slice(9)]]);
    rooms.leave(many[0]);
    assert.equal(rooms.forAuth()[0], many[1]);
    assert.deepEqual(rooms.afterAuth(rooms.forAuth()).at(-1), { op: 22, list: many[0] });
});

test('rooms: without a list the token\'s stay, and what was joined is joined anew', () => {
    const rooms = new Rooms(undefined);
    assert.equal(rooms.forAuth(), undefined);
    const undo = rooms.join('a');
    rooms.join('b');
    undo();
    assert.deepEqual(rooms.afterAuth([]), [{ op: 20, list: 'b' }]);
    for (const wrong of ['', 'a,b', 'a\n', 'r'.repeat(129), 'é'.repeat(65), 7])
        assert.throws(() => rooms.join(wrong), TypeError);
    rooms.join('r'.repeat(128));
    const full = new Rooms(Array.from({ length: 64 }, (_, i) => `${i}`.padStart(128, 'r')));
    assert.ok(full.afterAuth([]).every(({ list }) => list.length <= 2000));
});

test('nodes: goim\'s form becomes addresses', () => {
    const said = { domain: 'all.example', ws_port: 8090, wss_port: 443, heartbeat: 240, nodes: ['a.example', '2001:db8::1'],
                   backoff: { base_delay: 3 } };
    assert.deepEqual(addressesOf(said, false), {
        urls: ['ws://a.example:8090/sub', 'ws://[2001:db8::1]:8090/sub', 'ws://all.example:8090/sub'],
        heartbeatMs: 240_000, backoff: { base_delay: 3 } });
    assert.equal(addressesOf(said, true).urls[0], 'wss://a.example:443/sub');
    assert.equal(addressesOf({ ...said, ws_port: 0 }, false).urls[0], 'wss://a.example:443/sub');
    assert.throws(() => addressesOf({ nodes: ['a'], ws_port: 8090, wss_port: 0 }, true), /names no wss_port/);
    assert.throws(() => addressesOf({ nodes: [], ws_port: 8090 }, false), /names no comet/);
});

test('nodes: each address once, then the list anew; named ones first', async () => {
    let asked = 0;
    const nodes = new Nodes({ nodes: () => [`ws://h${++asked}/sub`, 'wss://two/x'] }, 1000);
    const next = () => nodes.next(() => {});
    assert.deepEqual([await next(), await next(), await next()], ['ws://h1/sub', 'wss://two/x', 'ws://h2/sub']);
    assert.equal(nodes.take('wss://two/x', { nodes: ['p:1'], wss: ['q:2', 'not a host'] }), 1);
    assert.deepEqual([await next(), await next()], ['wss://q:2/x', 'ws://h3/sub']);
    nodes.found();
    assert.equal(await next(), 'ws://h4/sub');
});

test('nodes: what is no list is told', async () => {
    const ask = (nodes, ms = 1000) => new Nodes({ nodes }, ms).next(() => {});
    await assert.rejects(ask(() => ({ code: -400, message: 'key missing' })), /refused: key missing/);
    await assert.rejects(ask(() => ({})), /no list "nodes"/);
    await assert.rejects(ask(() => undefined), /no list "nodes"/);
    await assert.rejects(ask(() => ['http://x']), /ws:\/\//);
    await assert.rejects(ask(() => { throw new Error('away'); }), /nodes: away/);
    await assert.rejects(ask(() => new Promise(() => {}), 5), /within 5 ms/);
    assert.throws(() => new Nodes({}, 1), /exactly one/);
    assert.throws(() => new Nodes({ url: 'ws://a', urls: ['ws://b'] }, 1), /exactly one/);
    assert.throws(() => new Nodes({ urls: [] }, 1), /urls/);
    assert.throws(() => new Nodes({ url: '/sub' }, 1), /ws:\/\//);
});

test('errors: a class for each code; 3, 5, 6, 7 and 13 are final', () => {
    const fatal = [];
    for (let code = 1; code <= 13; code++) {
        const error = errorOfCode(code, '');
        assert.ok(error instanceof ImcError && error instanceof Error && error.constructor !== ImcError);
        assert.equal(error.code, code);
        assert.equal(error.name, error.constructor.name);
        assert.notEqual(error.message, '');
        if (error.fatal)
            fatal.push(code);
    }
    assert.deepEqual(fatal, [3, 5, 6, 7, 13]);
    assert.ok(errorOfCode(1, 'x') instanceof TokenError && errorOfCode(7, 'x') instanceof KickedError);
    assert.ok(errorOfCode(13, 'x') instanceof ProtocolError);
    assert.equal(errorOfCode(99, 'new').fatal, false);
});

test('emitter: a handler that fails harms no other one', async () => {
    const emitter = new Emitter(), got = [];
    emitter.on('x', () => { throw new Error('first'); });
    const end = emitter.on('x', async (event) => got.push(event));
    await assert.rejects(emitter.emit('x', 1), /first/);
    end();
    emitter.once('y', (event) => got.push(event));
    await emitter.emit('y', 2);
    await emitter.emit('y', 3);
    assert.deepEqual(got, [1, 2]);
});
