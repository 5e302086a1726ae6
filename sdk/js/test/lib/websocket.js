// RFC 6455 as far as tests need it, both sides, over Node's own http: Node 18 has no WebSocket, and tests fetch nothing.
// Whole messages only: what is tested sends no fragments.
import { createHash, randomBytes } from 'node:crypto';
import http from 'node:http';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10;
const KINDS = { [TEXT]: 'text', [BINARY]: 'binary', [CLOSE]: 'close', [PING]: 'ping', [PONG]: 'pong' };

const acceptOf = (key) => createHash('sha1').update(key + GUID).digest('base64');

function headerOf(op, length, masked) {
    const mask = masked ? 0x80 : 0;
    if (length < 126)
        return Buffer.from([0x80 | op, mask | length]);
    const header = Buffer.alloc(length < 65536 ? 4 : 10);
    header[0] = 0x80 | op;
    header[1] = mask | (length < 65536 ? 126 : 127);
    if (length < 65536)
        header.writeUInt16BE(length, 2);
    else
        header.writeBigUInt64BE(BigInt(length), 2);
    return header;
}

function masked(payload, key) {
    const out = Buffer.from(payload);
    for (let i = 0; i < out.length; i++)
        out[i] ^= key[i & 3];
    return out;
}

/** Frames on a TCP connection whose handshake is over. take(kind, payload) gets each message. */
class Wire {
    constructor(socket, masks, head, take, closed) {
        Object.assign(this, { socket, masks, take, closed, read: Buffer.from(head) });
        socket.on('data', (bytes) => this.#data(bytes));
        socket.on('error', () => {});
        socket.on('close', () => closed());
        if (head.length > 0)
            queueMicrotask(() => this.#data(Buffer.alloc(0)));
    }

    send(op, payload) {
        const key = this.masks ? randomBytes(4) : Buffer.alloc(0);
        this.socket.write(Buffer.concat([headerOf(op, payload.length, this.masks), key,
                                         this.masks ? masked(payload, key) : payload]));
    }

    #data(bytes) {
        this.read = Buffer.concat([this.read, bytes]);
        for (let frame; (frame = this.#next()) !== undefined;)
            this.take(KINDS[frame.op], frame.payload);
    }

    #next() {
        const { read } = this;
        if (read.length < 2)
            return undefined;
        const short = read[1] & 0x7f, isMasked = (read[1] & 0x80) !== 0;
        let at = short < 126 ? 2 : short === 126 ? 4 : 10;
        if (read.length < at + (isMasked ? 4 : 0))
            return undefined;
        const length = short < 126 ? short : short === 126 ? read.readUInt16BE(2) : Number(read.readBigUInt64BE(2));
        const key = isMasked ? read.subarray(at, at += 4) : undefined;
        if (read.length < at + length)
            return undefined;
        const payload = read.subarray(at, at + length);
        this.read = read.subarray(at + length);
        return { op: read[0] & 0x0f, payload: key ? masked(payload, key) : payload };
    }
}

const closeBody = (code, reason) => {
    const body = Buffer.alloc(2 + Buffer.byteLength(reason));
    body.writeUInt16BE(code);
    body.write(reason, 2);
    return body;
};

/** The server's side of one connection. */
export class ServerSide {
    constructor(socket, head) {
        this.onMessage = () => {};
        this.onClose = () => {};
        this.wire = new Wire(socket, false, head, (kind, payload) => this.#take(kind, payload), () => this.onClose());
    }

    #take(kind, payload) {
        if (kind === 'text' || kind === 'binary')
            this.onMessage(kind === 'text' ? payload.toString() : new Uint8Array(payload));
        else if (kind === 'close')
            this.wire.socket.end();
        else if (kind === 'ping')
            this.wire.send(PONG, payload);
    }

    send(data) {
        this.wire.send(typeof data === 'string' ? TEXT : BINARY, Buffer.from(data));
    }

    close(code, reason = '') {
        this.wire.send(CLOSE, closeBody(code, reason));
        this.wire.socket.end();
    }

    /** Without a word. */
    destroy() {
        this.wire.socket.destroy();
    }
}

/** A server on a free port of loopback: { url, http, close() }. take(side, request) gets each connection. */
export async function serve(take, handle = (request, response) => response.writeHead(404).end()) {
    const server = http.createServer(handle), sockets = new Set();
    server.on('connection', (socket) => {
        sockets.add(socket);
        socket.on('close', () => sockets.delete(socket));
    });
    server.on('upgrade', (request, socket, head) => {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
                     `Sec-WebSocket-Accept: ${acceptOf(request.headers['sec-websocket-key'])}\r\n\r\n`);
        take(new ServerSide(socket, head), request);
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address();
    return {
        port,
        url: `ws://127.0.0.1:${port}/sub`,
        http: `http://127.0.0.1:${port}`,
        close: () => new Promise((resolve) => {
            server.close(resolve);
            sockets.forEach((socket) => socket.destroy());
        }),
    };
}

/** What the SDK uses of a browser's WebSocket. */
export class TestWebSocket {
    #request;
    #wire;
    #ended = false;
    #said = { code: 1006, reason: '' };

    constructor(url) {
        this.url = url;
        this.binaryType = 'blob';
        this.readyState = 0;
        this.onopen = this.onmessage = this.onclose = this.onerror = null;
        const { hostname, port, pathname, search } = new URL(url), key = randomBytes(16).toString('base64');
        this.#request = http.request({ hostname, port, path: pathname + search, headers: {
            Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': 13, 'Sec-WebSocket-Key': key } });
        this.#request.on('upgrade', (response, socket, head) => {
            if (response.headers['sec-websocket-accept'] !== acceptOf(key))
                return socket.destroy();
            this.#wire = new Wire(socket, true, head, (kind, payload) => this.#take(kind, payload),
                                  () => this.#end());
            this.readyState = 1;
            this.onopen?.({});
        });
        this.#request.on('response', (response) => response.resume().on('end', () => this.#end()));
        this.#request.on('error', () => this.#end());
        this.#request.end();
    }

    #take(kind, payload) {
        if (kind === 'text')
            this.onmessage?.({ data: payload.toString() });
        else if (kind === 'binary')
            this.onmessage?.({ data: new Uint8Array(payload).buffer });
        else if (kind === 'ping')
            this.#wire.send(PONG, payload);
        else if (kind === 'close')
            this.#takeClose(payload);
    }

    #takeClose(payload) {
        if (payload.length >= 2)
            this.#said = { code: payload.readUInt16BE(), reason: payload.subarray(2).toString() };
        this.#wire.send(CLOSE, payload);
        this.#wire.socket.end();
    }

    #end() {
        if (this.#ended)
            return;
        this.#ended = true;
        this.readyState = 3;
        this.onclose?.({ ...this.#said, wasClean: this.#said.code !== 1006 });
    }

    send(data) {
        if (this.readyState === 1)
            this.#wire.send(typeof data === 'string' ? TEXT : BINARY, Buffer.from(data));
    }

    close(code = 1000, reason = '') {
        if (this.readyState > 1)
            return;
        if (this.readyState === 0) {
            this.readyState = 2;
            this.#request.destroy();
            return;
        }
        this.readyState = 2;
        this.#wire.send(CLOSE, closeBody(code, reason));
    }
}
