// What a client does when comet ends the session: the codes of operation 6, and lists of nodes.
import assert from 'node:assert/strict';
import test from 'node:test';
import * as imc from '../src/index.js';
import { comet } from './lib/comet.js';
import { clientOf, next, until } from './lib/client.js';

async function start(t, options = {}, handle) {
    const server = await comet(handle);
    t.after(server.close);
    return { server, client: clientOf(t, options.nodes || options.urls ? options : { url: server.url, ...options }) };
}

async function open(t, options) {
    const { server, client } = await start(t, options);
    const session = await server.session();
    await session.letIn();
    await client.ready;
    return { server, client, session };
}

for (const [code, error] of [[5, imc.ReplacedError], [6, imc.TooManySessionsError], [7, imc.KickedError],
                             [3, imc.ProtocolError], [13, imc.ProtocolError]]) {
    test(`code ${code} is final: ${error.name}`, async (t) => {
        const { server, client, session } = await open(t);
        const told = next(client, 'error');
        session.kick(code, 'why');
        const closed = await next(client, 'close');
        assert.ok(closed.error instanceof error && closed.error.fatal, closed.error);
        assert.deepEqual([closed.error.code, closed.error.message, closed.willRetry], [code, 'why', false]);
        assert.equal(await told, closed.error);
        await assert.rejects(client.ready, error);
        await new Promise((resolve) => setTimeout(resolve, 150)); // longer than any pause
        assert.equal(server.sessions.length, 1);
    });
}

for (const [code, error] of [[2, imc.HandshakeTimeoutError], [4, imc.BodyTooLargeError], [8, imc.TooSlowError],
                             [9, imc.GoingAwayError], [10, imc.RateLimitedError], [11, imc.HeartbeatMissedError],
                             [12, imc.UnavailableError]]) {
    test(`code ${code} is worth another try: ${error.name}`, async (t) => {
        const { server, client, session } = await open(t);
        const closed = next(client, 'close'), retry = next(client, 'retry');
        session.kick(code);
        assert.ok((await closed).error instanceof error);
        assert.equal((await closed).willRetry, true);
        assert.ok((await retry).delayMs <= 20);
        await (await server.session()).letIn();
        await client.ready;
    });
}

test('the close code alone says as much', async (t) => {
    const { client, session } = await open(t);
    session.side.close(4007, 'kicked');
    const { error } = await next(client, 'close');
    assert.ok(error instanceof imc.KickedError);
    assert.equal(error.message, 'kicked');
});

test('a body that is too large in the auth is final', async (t) => {
    const { server, client } = await start(t);
    (await server.session()).kick(4);
    assert.ok((await next(client, 'close')).error instanceof imc.BodyTooLargeError);
    assert.equal(client.state, 'closed');
});

test('code 1: getToken is asked once more', async (t) => {
    const asked = [], tokens = ['old', 'new', 'newer'];
    const { server, client } = await start(t, { token: undefined, getToken: async (why) => {
        asked.push(why);
        return tokens[asked.length - 1];
    } });
    const first = await server.session();
    await first.request(7);
    first.kick(1, 'no such token');
    const second = await server.session();
    assert.equal((await second.letIn()).token, 'new');
    await client.ready;
    assert.deepEqual(asked, [{ refused: false }, { refused: true }]);
    second.side.destroy(); // the token that worked is used again
    const third = await server.session();
    assert.equal((await third.letIn()).token, 'new');
    await client.ready;
    third.kick(1, 'it expired'); // a session later it may be asked again
    assert.equal((await (await server.session()).letIn()).token, 'newer');
    await client.ready;
    assert.equal(asked.length, 3);
});

test('code 1 twice, or with a token that cannot change, is final', async (t) => {
    for (const options of [{}, { token: undefined, getToken: () => 'bad' }]) {
        const { server, client } = await start(t, options);
        server.session().then((session) => session.kick(1));
        if (options.getToken)
            server.session().then((session) => session.kick(1));
        const { error, willRetry } = await next(client, 'close');
        assert.ok(error instanceof imc.TokenError && error.fatal && !willRetry);
        assert.equal(server.sessions.length, options.getToken ? 2 : 1);
    }
});

test('getToken that fails is asked again after a pause', async (t) => {
    let asked = 0;
    const { server, client } = await start(t, { token: undefined, getToken: () => {
        if (++asked === 1)
            throw new Error('not yet');
        return 'good';
    } });
    const { error } = await next(client, 'retry');
    assert.ok(error instanceof imc.TokenError && /getToken failed: not yet/.test(error.message), error.message);
    assert.equal((await (await server.session()).letIn()).token, 'good');
    await client.ready;
});

test('code 9 with nodes: there, the best one first; then where it was found', async (t) => {
    const { server, client, session } = await open(t);
    const other = await comet(), dead = await comet();
    t.after(other.close);
    await dead.close();
    const hosts = [dead, other].map(({ port }) => `127.0.0.1:${port}`);
    session.kick(9, 'going', { nodes: hosts, backoff: { base_delay: 600, max_delay: 900 } });
    const second = await other.session();
    await second.letIn();
    await client.ready;
    assert.equal(client.url, other.url);
    assert.equal(server.sessions.length, 1);
    second.kick(9, 'going', { nodes: [hosts[0]] });
    const third = await server.session();
    await third.letIn();
    await client.ready;
    assert.equal(client.url, server.url);
});

test('nodes: by goim\'s URL, which also says how to wait and to beat', async (t) => {
    const asked = [], home = await comet((request, response) => {
        asked.push(request.url);
        response.setHeader('Content-Type', 'application/json');
        response.end(asked.length === 1 ? '{"code":-500,"message":"not now"}' : JSON.stringify({ code: 0, message: '',
            data: { nodes: ['127.0.0.1'], ws_port: home.port, wss_port: 0, domain: '', heartbeat: 0.02,
                    backoff: { base_delay: 0.01, max_delay: 0.05, factor: 2, jitter: 0.3 } } }));
    });
    t.after(home.close);
    const client = clientOf(t, { nodes: `${home.http}/goim/nodes/weighted?platform=web`, backoff: undefined });
    client.backoff.adopt({ base_delay: 0.01, max_delay: 0.05 });
    const { error } = await next(client, 'retry');
    assert.ok(error instanceof imc.NodesError && /not now/.test(error.message), error.message);
    const session = await home.session();
    await session.letIn();
    await client.ready;
    await session.request(2);
    assert.deepEqual([client.backoff.baseMs, client.backoff.maxMs], [10, 50]);
    session.side.destroy();
    await (await home.session()).letIn();
    await client.ready;
    assert.deepEqual(asked, new Array(3).fill('/goim/nodes/weighted?platform=web'));
});

test('nodes: by a function', async (t) => {
    const server = await comet();
    t.after(server.close);
    const client = clientOf(t, { nodes: async () => [server.url] });
    await (await server.session()).letIn();
    await client.ready;
});

test('failures in a row make the pauses longer', async (t) => {
    t.mock.method(Math, 'random', () => 0.99);
    const { server, client } = await start(t, { backoff: { baseMs: 4, maxMs: 1000, factor: 4 } });
    const delays = [];
    client.on('retry', ({ delayMs }) => delays.push(delayMs));
    for (let i = 0; i < 4; i++)
        (await server.session()).kick(12);
    await until(() => delays.length === 4, 'four failures');
    assert.deepEqual(delays, [3, 15, 63, 253]);
});

test('a session that lasted makes the pauses short again, one that did not does not', async (t) => {
    let passed = 0;
    const { now } = Date;
    t.mock.method(Date, 'now', () => now() + passed);
    t.mock.method(Math, 'random', () => 0.99);
    const { server, client } = await start(t, { backoff: { baseMs: 4, maxMs: 1000, factor: 4 } });
    const delays = [];
    client.on('retry', ({ delayMs }) => delays.push(delayMs));
    for (const lastsMs of [0, 0, 9_000, 10_000, 0]) {
        const session = await server.session();
        await session.letIn();
        await client.ready;
        passed += lastsMs;
        session.kick(12);
        await next(client, 'close');
    }
    assert.deepEqual(delays, [3, 15, 63, 3, 15]);
});
