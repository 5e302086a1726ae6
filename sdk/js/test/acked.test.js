// Acknowledged sessions, in the wire form that docs/protocol.md describes, against a small comet (lib/comet.js).
import assert from 'node:assert/strict';
import test from 'node:test';
import { HandlerError } from '../src/index.js';
import { OP, comet } from './lib/comet.js';
import { clientOf, until } from './lib/client.js';

async function start(t, options) {
    const server = await comet();
    t.after(server.close);
    const client = clientOf(t, { url: server.url, ack: true, ...options });
    return { server, client };
}

async function letIn(server, client) {
    const session = await server.session(), auth = await session.letIn({ heartbeat: 300, key: 'k', server: '1', ack: true });
    assert.equal(auth.ack, true);
    await client.ready;
    return session;
}

/** Sequences of the acknowledgements up to LAST. */
async function acksUpTo(session, last) {
    const acks = [];
    while (acks.at(-1) !== last) {
        const { seq, ver } = await session.request(OP.ack);
        assert.equal(ver, 1);
        acks.push(seq);
    }
    return acks;
}

const HIGH = 9223372036854775000n; // more than a number of JavaScript holds

for (const form of ['binary', 'json']) {
    test(`${form}: ids, sequences, acknowledgements that cover many`, async (t) => {
        const { server, client } = await start(t, { form });
        const got = [];
        client.on('message', ({ id, seq, op, ...message }) => got.push([id, seq, op]));
        client.on('message', (message) => got.at(-1).push(message.text()));
        const session = await letIn(server, client);
        session.pushNumbered([HIGH, 'one'], [HIGH + 1n, 'two']);
        session.push('of a room');
        session.pushNumbered([HIGH + 2n, '{"three":3}']);
        const acks = await acksUpTo(session, 3);
        assert.ok(acks.length <= 2, `one acknowledgement for many: ${acks}`);
        assert.deepEqual(got, [[`${HIGH}`, 1, 5, 'one'], [`${HIGH + 1n}`, 2, 5, 'two'], [undefined, 0, 5, 'of a room'],
                               [`${HIGH + 2n}`, 3, 5, '{"three":3}']]);
    });

    test(`${form}: what comes again with the next session comes to the application once`, async (t) => {
        const { server, client } = await start(t, { form });
        const got = [];
        client.on('message', (message) => got.push(message.text()));
        const first = await letIn(server, client);
        first.pushNumbered([1n, 'a'], [2n, 'b']);
        await until(() => got.length === 2, 'both');
        first.side.destroy(); // before or after the acknowledgement: nobody knows
        const second = await letIn(server, client);
        second.pushNumbered([1n, 'a'], [2n, 'b'], [3n, 'c']);
        await acksUpTo(second, 3);
        assert.deepEqual(got, ['a', 'b', 'c']);
    });

    test(`${form}: an acknowledgement waits for the handler's promise`, async (t) => {
        const { server, client } = await start(t, { form });
        const release = [];
        client.on('message', () => new Promise((resolve) => release.push(resolve)));
        const session = await letIn(server, client);
        session.pushNumbered([1n, 'a'], [2n, 'b'], [3n, 'c']);
        await until(() => release.length === 3, 'three messages');
        release[1]();
        release[2]();
        await new Promise((resolve) => setTimeout(resolve, 40));
        assert.deepEqual(session.got.filter(({ op }) => op === OP.ack), []);
        release[0]();
        assert.deepEqual(await acksUpTo(session, 3), [3]);
    });

    test(`${form}: numbers of requests and of messages do not mix`, async (t) => {
        const { server, client } = await start(t, { form });
        const got = [];
        client.on('message', (message) => got.push(message.text()));
        const session = await letIn(server, client);
        const answer = client.send('x'), request = await session.request(OP.send);
        session.sent = request.seq - 1;
        session.pushNumbered([5n, 'the same sequence']);
        await until(() => got.length === 1, 'the message');
        session.reply(form === 'json' ? 5 : 4, request);
        await answer;
    });
}

test('a handler that fails: the message comes again with the next session', async (t) => {
    const { server, client } = await start(t);
    const got = [], errors = [];
    client.on('error', (error) => errors.push(error));
    client.on('message', async (message) => {
        got.push(message.text());
        if (got.length === 1)
            throw new Error('the disk is full');
    });
    const first = await letIn(server, client);
    first.pushNumbered([1n, 'a'], [2n, 'b']);
    await first.closed;
    assert.ok(errors[0] instanceof HandlerError && errors[0].cause.message === 'the disk is full');
    assert.deepEqual(first.got.filter(({ op }) => op === OP.ack), []);
    const second = await letIn(server, client);
    second.pushNumbered([1n, 'a'], [2n, 'b']);
    await acksUpTo(second, 2);
    assert.deepEqual(got, ['a', 'b', 'a']);
});

test('a message whose handler always fails is acknowledged in the end', async (t) => {
    const { server, client } = await start(t, { handlerAttempts: 3 });
    let calls = 0;
    client.on('message', () => {
        calls++;
        throw new Error('always');
    });
    for (let i = 0; i < 2; i++) {
        const session = await letIn(server, client);
        session.pushNumbered([1n, 'poison']);
        await session.closed;
    }
    const last = await letIn(server, client);
    last.pushNumbered([1n, 'poison']);
    await acksUpTo(last, 1);
    assert.equal(calls, 3);
    assert.equal(client.state, 'open');
});

test('a message that is still handled when it comes again is acknowledged once it is done', async (t) => {
    const { server, client } = await start(t);
    let release, calls = 0;
    client.on('message', () => new Promise((resolve) => {
        calls++;
        release = resolve;
    }));
    const first = await letIn(server, client);
    first.pushNumbered([1n, 'slow']);
    await until(() => calls === 1, 'the message');
    first.side.destroy();
    const second = await letIn(server, client);
    second.pushNumbered([1n, 'slow']);
    await new Promise((resolve) => setTimeout(resolve, 40));
    assert.deepEqual(second.got.filter(({ op }) => op === OP.ack), []);
    release();
    assert.deepEqual(await acksUpTo(second, 1), [1]);
    assert.equal(calls, 1);
});

test('a window of 64 never stands still, and ids are kept in bounded number', async (t) => {
    const { server, client } = await start(t, { dedupe: 100, ackDelayMs: 1000 });
    let got = 0;
    client.on('message', () => { got++; });
    const session = await letIn(server, client);
    let acked = 0;
    for (let sent = 0; sent < 2000;) {
        while (sent - acked < 64 && sent < 2000)
            session.pushNumbered([BigInt(++sent), `m${sent}`]);
        if (sent < 2000)
            acked = (await session.request(OP.ack)).seq;
    }
    await until(() => got === 2000, 'all');
    assert.equal(client.seen.size, 100);
});

test('close acknowledges what was handled', async (t) => {
    const { server, client } = await start(t, { ackDelayMs: 10_000 });
    let got = 0;
    client.on('message', () => { got++; });
    const session = await letIn(server, client);
    session.pushNumbered([1n, 'a']);
    await until(() => got === 1, 'the message');
    await new Promise((resolve) => setTimeout(resolve, 5));
    client.close();
    assert.equal((await session.request(OP.ack)).seq, 1);
});
