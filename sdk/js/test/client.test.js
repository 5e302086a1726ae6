// A client and a small comet in one process (lib/comet.js): sessions, requests, rooms, messages of plain sessions.
import assert from 'node:assert/strict';
import test from 'node:test';
import { BodyTooLargeError, Client, ClosedError, ConnectionLostError, OverflowError, ProtocolError,
         TimeoutError } from '../src/index.js';
import { OP, comet } from './lib/comet.js';
import { clientOf, next, until } from './lib/client.js';
import { TestWebSocket } from './lib/websocket.js';

async function start(t, options) {
    const server = await comet();
    t.after(server.close);
    return { server, client: clientOf(t, { url: server.url, ...options }) };
}

/** A client with a session; auth is what it sent. */
async function open(t, options, hello) {
    const { server, client } = await start(t, options);
    const session = await server.session(), auth = await session.letIn(hello);
    await client.ready;
    return { server, client, session, auth };
}

for (const form of ['binary', 'json']) {
    test(`${form}: auth, messages in order, send and its answer`, async (t) => {
        const { client, session, auth } = await open(t, { form });
        assert.deepEqual(auth, form === 'json' ? 't' : { token: 't', hello: true });
        const got = [];
        client.on('message', (message) => got.push([message.op, message.text()]));
        session.push('plain text', '{"a":[1,2]}');
        session.push('17');
        await until(() => got.length === 3, 'three messages');
        assert.deepEqual(got, [[5, 'plain text'], [5, '{"a":[1,2]}'], [5, '17']]);
        const answer = client.send({ text: 'hi' }), request = await session.request(OP.send);
        assert.deepEqual(form === 'json' ? request.body : JSON.parse(request.body), { text: 'hi' });
        session.reply(form === 'json' ? 5 : 4, request);
        await answer;
    });

    test(`${form}: a push between a request and its answer is no answer`, async (t) => {
        const { client, session } = await open(t, { form });
        const got = [];
        client.on('message', (message) => got.push(message.json()));
        const answer = client.send('x'), request = await session.request(OP.send);
        session.push('{"n":1}');
        await until(() => got.length === 1, 'the push');
        session.reply(form === 'json' ? 5 : 4, request);
        await answer;
        assert.deepEqual(got, [{ n: 1 }]);
    });

    test(`${form}: rooms are joined, left, and joined anew by the next session`, async (t) => {
        const { server, client, session, auth } = await start(t, { form, rooms: ['a'] }).then(async (made) => {
            const session = await made.server.session(), auth = await session.letIn();
            if (form === 'json') // a token that is a string names no rooms
                session.reply(21, await session.request(OP.join));
            await made.client.ready;
            return { ...made, session, auth };
        });
        if (form === 'binary')
            assert.deepEqual(auth.rooms, ['a']);
        for (const [call, op, room] of [['join', OP.join, 'b'], ['join', OP.join, 'c'], ['leave', OP.leave, 'a']]) {
            const done = client[call](room), request = await session.request(op);
            assert.equal(request.body, room);
            session.reply(op + 1, request);
            await done;
        }
        session.side.destroy();
        const second = await server.session(), again = await second.letIn();
        if (form === 'binary') {
            assert.deepEqual(again.rooms, ['b', 'c']);
        } else {
            const join = await second.request(OP.join);
            assert.equal(join.body, 'b,c');
            second.reply(21, join);
        }
        const leave = await second.request(OP.leave);
        assert.equal(leave.body, 'a');
        assert.equal(client.state, 'connecting'); // until it is where it was
        second.reply(23, leave);
        await client.ready;
    });

    test(`${form}: heartbeats by the server's interval; without an answer the session is given up`, async (t) => {
        const { server, client, session } = await open(t, { form, replyTimeoutMs: 60, heartbeatMs: 30 });
        const counts = [];
        client.on('count', (n) => counts.push(n));
        for (let i = 0; i < 3; i++)
            session.reply(OP.heartbeatReply, await session.request(OP.heartbeat), form === 'json' ? '' : '\x00\x00\x00\x07');
        await session.request(OP.heartbeat); // and no answer
        const { error, willRetry } = await next(client, 'close');
        assert.ok(error instanceof ConnectionLostError && /heartbeat/.test(error.message), error.message);
        assert.equal(willRetry, true);
        assert.deepEqual(counts, form === 'json' ? [] : [7, 7, 7]);
        await (await server.session()).letIn();
        await client.ready;
    });
}

for (const form of ['binary', 'json']) {
    test(`${form}: a token is renewed in the open session, and stays for the next one`, async (t) => {
        const tokens = ['first', 'second'];
        const { server, client, session } = await open(t, { form, token: undefined, getToken: () => tokens.shift() });
        const tokenOf = ({ body }) => form === 'json' ? body : JSON.parse(body).token;
        for (const [argument, wanted] of [[undefined, 'second'], ['third', 'third']]) {
            const renewed = client.renew(argument), auth = await session.request(OP.auth);
            assert.equal(tokenOf(auth), wanted);
            session.reply(OP.authReply, auth);
            await renewed;
        }
        session.side.destroy();
        const again = await (await server.session()).letIn();
        assert.equal(form === 'json' ? again : again.token, 'third');
        await assert.rejects(client.ready.then(() => client.renew()), TypeError);
    });
}

test('the hello says how often, and what the session is', async (t) => {
    const { server, client } = await start(t, {});
    const opened = next(client, 'open'), session = await server.session();
    await session.letIn({ heartbeat: 0.1, key: 'k', server: 'c1' });
    assert.deepEqual(await opened, { url: server.url, key: 'k', server: 'c1', acknowledged: false });
    const begin = Date.now();
    await session.request(OP.heartbeat);
    assert.ok(Date.now() - begin < 1000);
});

test('goim\'s fields go into the auth', async (t) => {
    const { auth } = await open(t, { token: undefined, mid: 7, key: 'k', room: 'live://1', rooms: ['r'], accepts: [5],
                                     platform: 'web', ack: true });
    assert.deepEqual(auth, { mid: 7, key: 'k', room_id: 'live://1', rooms: ['r'], accepts: [5], platform: 'web', ack: true,
                             hello: true });
});

test('messages that come before the first handler wait for it', async (t) => {
    const { client, session } = await open(t, {});
    session.push('1', '2');
    session.push('3');
    const ask = client.send('x');
    session.reply(4, await session.request(OP.send));
    await ask; // so the messages are there
    const got = [];
    client.on('message', (message) => got.push(message.text()));
    session.push('4');
    await until(() => got.length === 4, 'all messages');
    assert.deepEqual(got, ['1', '2', '3', '4']);
});

test('send waits for a session; what is lost, late or too large is told', async (t) => {
    const { server, client } = await start(t, { sendTimeoutMs: 80, maxWaiting: 1, maxBody: 4 });
    const first = client.send('1');
    await assert.rejects(client.send('2'), OverflowError);
    await assert.rejects(first, TimeoutError);
    const session = await server.session();
    await session.letIn();
    await client.ready;
    await assert.rejects(client.send('12345'), BodyTooLargeError);
    await assert.rejects(client.send('four'), TimeoutError);
    const lost = client.send('x');
    await session.request(OP.send);
    session.side.destroy();
    await assert.rejects(lost, ConnectionLostError);
});

test('a server that is not there, or says nothing, is tried again with growing pauses', async (t) => {
    const dead = await comet();
    await dead.close();
    const { server, client } = await start(t, { url: undefined, urls: [dead.url], connectTimeoutMs: 50 });
    const delays = [];
    client.on('retry', ({ delayMs }) => delays.push(delayMs));
    await until(() => delays.length >= 6, 'six tries');
    assert.ok(delays.every((ms) => ms <= 100), delays.join());
    client.close();
    await server.close();
});

test('of several addresses the next one is tried', async (t) => {
    const dead = await comet(), mute = await comet(), good = await comet();
    t.after(() => Promise.all([mute.close(), good.close()]));
    await dead.close();
    const client = clientOf(t, { urls: [dead.url, mute.url, good.url], connectTimeoutMs: 100 });
    await (await good.session()).letIn();
    await client.ready;
    assert.equal(client.url, good.url);
    assert.equal(mute.sessions.length, 1);
});

test('what is no frame ends the session with a ProtocolError, and the client tries again', async (t) => {
    const { server, client, session } = await open(t, {});
    session.side.send(Buffer.from('nonsense'));
    const { error, willRetry } = await next(client, 'close');
    assert.ok(error instanceof ProtocolError && willRetry, error.message);
    await session.closed;
    await (await server.session()).letIn();
    await client.ready;
});

test('close is final, until connect', async (t) => {
    const { server, client, session } = await open(t, {});
    const ended = next(client, 'close'), unanswered = client.send('x');
    await session.request(OP.send);
    client.close();
    client.close();
    assert.ok((await ended).error instanceof ClosedError);
    await assert.rejects(unanswered, ClosedError);
    await assert.rejects(client.ready, ClosedError);
    await assert.rejects(client.send('x'), ClosedError);
    await session.closed;
    client.connect();
    await (await server.session()).letIn();
    await client.ready;
});

test('a handler that fails is told, and harms nothing', async (t) => {
    const { client, session } = await open(t, {});
    const errors = [], got = [];
    client.on('error', (error) => errors.push(error));
    client.on('message', () => { throw new Error('ours'); });
    client.on('message', (message) => got.push(message.text()));
    session.push('1', '2');
    await until(() => got.length === 2 && errors.length === 2, 'both messages');
    assert.match(errors[0].message, /a handler of 'message' failed: ours/);
    assert.equal(errors[0].cause.message, 'ours');
    assert.equal(client.state, 'open');
});

test('options that cannot be are refused', () => {
    const options = { url: 'ws://127.0.0.1:1/sub', token: 't', WebSocket: TestWebSocket };
    for (const wrong of [{ url: undefined }, { url: 'http://x' }, { token: undefined }, { getToken: () => 't' },
                         { form: 'xml' }, { WebSocket: null }, { rooms: ['a,b'] }, { dedupe: 0 },
                         { backoff: { baseMs: 0 } }, { urls: ['ws://x'] }])
        assert.throws(() => new Client({ ...options, ...wrong }), TypeError, JSON.stringify(wrong));
});
