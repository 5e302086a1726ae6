// A small comet that does as a test says. It speaks both forms, written from docs/protocol.md alone: nothing of the
// SDK's is used, so that a mistake there is not repeated here.
import { serve } from './websocket.js';

export const OP = { heartbeat: 2, heartbeatReply: 3, send: 4, push: 5, disconnect: 6, auth: 7, authReply: 8, raw: 9,
                    ack: 18, join: 20, leave: 22 };

function frame({ op, seq = 0, version = 1, body = '', id }) {
    const bytes = Buffer.from(body), header = id === undefined ? 16 : 24, out = Buffer.alloc(header + bytes.length);
    out.writeUInt32BE(out.length, 0);
    out.writeUInt16BE(header, 4);
    out.writeUInt16BE(version, 6);
    out.writeUInt32BE(op, 8);
    out.writeInt32BE(seq, 12);
    if (id !== undefined)
        out.writeBigUInt64BE(BigInt(id), 16);
    bytes.copy(out, header);
    return out;
}

export { frame };

const asValue = (text) => {
    try {
        return text === '' ? {} : JSON.parse(text);
    } catch {
        return text;
    }
};

/** One session, as the server sees it. */
export class Session {
    constructor(side) {
        this.side = side;
        this.sent = 0; // sequence of the last numbered message
        this.got = []; // requests: {op, seq, version, body (text or value)}
        this.waiting = [];
        side.onMessage = (data) => this.#take(data);
        this.closed = new Promise((resolve) => { side.onClose = resolve; });
    }

    #take(data) {
        this.json = typeof data === 'string';
        const request = this.json ? JSON.parse(data) : this.#read(Buffer.from(data));
        this.got.push(request);
        this.waiting.splice(0).forEach((look) => look());
        this.onRequest?.(request);
    }

    #read(bytes) {
        if (bytes.readUInt32BE(0) !== bytes.length || bytes.readUInt16BE(4) !== 16)
            throw new Error(`a frame that comet refuses: ${bytes.toString('hex')}`);
        return { ver: bytes.readUInt16BE(6), op: bytes.readUInt32BE(8), seq: bytes.readInt32BE(12),
                 body: bytes.subarray(16).toString() };
    }

    /** The first request of operation OP that is there, or comes; each is given once. */
    async request(op) {
        for (;;) {
            const index = this.got.findIndex((one) => one.op === op);
            if (index >= 0)
                return this.got.splice(index, 1)[0];
            await new Promise((resolve) => this.waiting.push(resolve));
        }
    }

    reply(op, { seq, ver = 1 }, body = '') {
        this.#put([{ op, seq, version: ver, body }], false);
    }

    /** Takes the auth, and lets the client in. Resolves with what it sent. */
    async letIn(hello = '') {
        const auth = await this.request(OP.auth);
        this.reply(OP.authReply, auth, hello === '' ? '' : JSON.stringify(hello));
        return typeof auth.body === 'string' && auth.body.startsWith('{') ? JSON.parse(auth.body) : auth.body;
    }

    /** One batch of pushes. */
    push(...bodies) {
        this.#put(bodies.map((body) => ({ op: OP.push, version: this.json ? 0 : 1, body })), true);
    }

    /** To an acknowledged session: [id, body] each, with the next sequences. */
    pushNumbered(...items) {
        this.#put(items.map(([id, body]) =>
            ({ op: OP.push, version: this.json ? 0 : 1, seq: ++this.sent, id, body })), true);
    }

    #put(items, pushes) {
        if (this.json) {
            this.side.send(JSON.stringify(items.map(({ op, seq = 0, version, body, id }) =>
                ({ ver: version, op, seq, ...(id === undefined ? {} : { id: String(id) }), body: asValue(body) }))));
        } else {
            const frames = Buffer.concat(items.map(frame));
            this.side.send(pushes ? frame({ op: OP.raw, body: frames }) : frames);
        }
    }

    /** Operation 6, then the close. */
    kick(code, reason = `code ${code}`, more = {}) {
        this.#put([{ op: OP.disconnect, version: 1, body: JSON.stringify({ code, reason, ...more }) }], false);
        this.side.close(4000 + code, reason);
    }
}

/** A comet: { url, session() → the next one, sessions, close() }. */
export async function comet(handle) {
    const sessions = [], waiting = [], untaken = [];
    const server = await serve((side, request) => {
        const session = new Session(side);
        session.path = request.url;
        session.headers = request.headers;
        sessions.push(session);
        const taker = waiting.shift();
        if (taker)
            taker(session);
        else
            untaken.push(session);
    }, handle);
    return { ...server, sessions, session: async () => untaken.shift() ?? new Promise((resolve) => waiting.push(resolve)) };
}
