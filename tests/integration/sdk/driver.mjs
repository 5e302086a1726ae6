// Clients of sdk/js that do as a test says, in Node (node.mjs) and in a page (page.js): sdk.py.
//
//   { client, call: "new", options }            a client; what happens to it is told: (client, event, what)
//   { client, call: "join", args: ["room"] }    any method; the promise has its result
//   { client, call: "fail", times }             the handler of 'message' fails so often from now on
const EVENTS = ['open', 'close', 'retry', 'error', 'count'];

const plain = (what) => what instanceof Error
    ? { name: what.name, message: what.message, code: what.code, fatal: what.fatal }
    : what !== null && typeof what === 'object' && !(what instanceof Uint8Array)
        ? Object.fromEntries(Object.entries(what).map(([name, value]) => [name, plain(value)]))
        : what;

export function driver(imc, tell, more = {}) {
    const clients = new Map();

    function make(id, { token, tokens, nodesAnswer, ...options }) {
        const given = { ...options, ...more };
        let failures = 0;
        if (tokens !== undefined) // each is used once
            given.getToken = async () => tokens.shift();
        else
            given.token = token;
        if (nodesAnswer !== undefined)
            given.nodes = async () => nodesAnswer;
        const client = new imc.Client(given);
        for (const event of EVENTS)
            client.on(event, (what) => tell(id, event, plain(what)));
        client.on('message', (message) => {
            if (failures > 0) {
                failures--;
                throw new Error('the test wants it');
            }
            tell(id, 'message', { op: message.op, id: message.id, seq: message.seq, text: message.text() });
        });
        client.fail = (times) => { failures = times; };
        clients.set(id, client);
    }

    return async ({ client: id, call, args = [], options }) => {
        if (call === 'new')
            return make(id, options);
        const client = clients.get(id);
        if (call === 'state')
            return client.state;
        if (call === 'ready')
            return client.ready;
        const result = await client[call](...args);
        return result instanceof Uint8Array ? new TextDecoder().decode(result) : result;
    };
}

export { plain };
