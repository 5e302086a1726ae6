// One connection, from its WebSocket to its end. It does not come back: client.js opens the next one.
//
//   CONNECTING ─ the socket opens ─► AUTHENTICATING ─ operation 8 ─► OPEN
//       └──────────────────────┴─ operation 6, the socket closes, time is up: #end() ─► ENDED ◄──┘
import { Acks } from './acks.js';
import { BodyTooLargeError, ConnectionLostError, ProtocolError, TimeoutError, errorOfCode } from './errors.js';
import { FormError, OP, bodyBytes } from './frames.js';

/** @typedef {import('./frames.js').Frame} Frame */
/** @typedef {import('./errors.js').ImcError} ImcError */

/**
 * What a session needs of the browser's WebSocket.
 * @typedef {object} Socket
 * @property {string} binaryType
 * @property {number} readyState
 * @property {((event: any) => void) | null} onopen
 * @property {((event: any) => void) | null} onmessage
 * @property {((event: any) => void) | null} onclose
 * @property {((event: any) => void) | null} onerror
 * @property {(data: any) => void} send
 * @property {(code?: number, reason?: string) => void} close
 */

/**
 * @typedef {object} SessionOptions
 * @property {string} url
 * @property {new (url: string) => any} WebSocket
 * @property {import('./frames.js').Form} form
 * @property {string | Record<string, unknown>} auth body of operation 7
 * @property {number | undefined} heartbeatMs how often; undefined: as the server says
 * @property {number} connectTimeoutMs until the auth reply is there
 * @property {number} replyTimeoutMs of a heartbeat
 * @property {number} sendTimeoutMs of other requests
 * @property {number} ackDelayMs
 * @property {number} maxBody
 */

/**
 * What operation 8 said.
 * @typedef {object} Hello
 * @property {number} [heartbeat] seconds of silence after which comet closes
 * @property {string} [key]
 * @property {string} [server]
 * @property {boolean} [ack]
 */

/**
 * How the session ended.
 * @typedef {object} Ending
 * @property {ImcError} error
 * @property {boolean} opened it had been authenticated
 * @property {string[]} nodes of code 9: host:port
 * @property {string[]} wss likewise, for clients that use TLS
 * @property {unknown} [backoff] of code 9
 */

/**
 * @typedef {object} SessionEvents
 * @property {(hello: Hello) => void} open
 * @property {(frame: Frame) => void} message
 * @property {(n: number) => void} count sessions in the main room
 * @property {(ending: Ending) => void} end once, and last
 */

const NORMAL_CLOSURE = 1000;
const APPLICATION_CODES = 4000;
const DEFAULT_HEARTBEAT_MS = 60_000;
// Of the time after which comet closes: one heartbeat may come late.
const HEARTBEAT_SHARE = 0.4;

/** @param {unknown} value */
const stringsOf = (value) => Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];

export class Session {
    /** @type {Map<number, { op: number, resolve: (body: unknown) => void, reject: (error: ImcError) => void,
     *                       timer: ReturnType<typeof setTimeout> }>} */
    #waiting = new Map();
    #seq = 0;
    #opened = false;
    #ended = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    #deadline;
    /** @type {ReturnType<typeof setInterval> | undefined} */
    #heart;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    #probe;
    /** @type {ImcError | undefined} that operation 6, or something here, has named */
    #reason;
    /** @type {Pick<Ending, 'nodes' | 'wss' | 'backoff'>} */
    #where = { nodes: [], wss: [] };

    /**
     * @param {SessionOptions} options
     * @param {SessionEvents} events
     */
    constructor(options, events) {
        this.options = options;
        this.events = events;
        this.acks = new Acks((seq) => this.#put(OP.ACK, seq, undefined), options.ackDelayMs);
        /** @type {Socket} */
        this.socket = new options.WebSocket(options.url);
        this.socket.binaryType = 'arraybuffer';
        this.socket.onopen = () => this.#authenticate();
        this.socket.onmessage = ({ data }) => this.#take(data);
        this.socket.onclose = ({ code, reason }) => this.#closed(code, reason);
        this.socket.onerror = () => {}; // onclose follows
        this.#deadline = setTimeout(() => this.fail(new TimeoutError(
            `${options.url}: no session within ${options.connectTimeoutMs} ms`)), options.connectTimeoutMs);
    }

    get isOpen() {
        return this.#opened && !this.#ended;
    }

    // --- out ---

    /**
     * @param {number} op
     * @param {number} seq
     * @param {unknown} body
     */
    #put(op, seq, body) {
        if (!this.#ended)
            this.socket.send(this.options.form.encode(op, seq, body));
    }

    #authenticate() {
        if (!this.#ended)
            this.#put(OP.AUTH, ++this.#seq, this.options.auth);
    }

    /**
     * Sends a request. Resolves with the body of its answer, which has operation REPLY, or the same one (goim's form of
     * operation 4).
     * @param {number} op
     * @param {unknown} body
     * @param {number} [timeoutMs]
     * @returns {Promise<unknown>}
     */
    request(op, body, timeoutMs = this.options.sendTimeoutMs) {
        const size = bodyBytes(body).length;
        if (size > this.options.maxBody)
            return Promise.reject(new BodyTooLargeError(
                `a body of ${size} bytes, of which comet takes ${this.options.maxBody} (option maxBody)`));
        if (!this.isOpen)
            return Promise.reject(new ConnectionLostError('there is no session'));
        const seq = this.#seq = (this.#seq + 1) & 0x7fffffff;
        return new Promise((resolve, reject) => {
            const timer = setTimeout(() => {
                this.#waiting.delete(seq);
                reject(new TimeoutError(`operation ${op} was not answered within ${timeoutMs} ms`));
            }, timeoutMs);
            this.#waiting.set(seq, { op, resolve, reject, timer });
            this.#put(op, seq, body);
        });
    }

    /** Asks comet for a sign of life now; without one within replyTimeoutMs the session has failed. */
    probe() {
        if (!this.isOpen || this.#probe !== undefined)
            return;
        const { replyTimeoutMs } = this.options;
        this.#probe = setTimeout(() => this.fail(new ConnectionLostError(
            `a heartbeat was not answered within ${replyTimeoutMs} ms`)), replyTimeoutMs);
        this.#put(OP.HEARTBEAT, this.#seq = (this.#seq + 1) & 0x7fffffff, undefined);
    }

    // --- in ---

    /** @param {unknown} data */
    #take(data) {
        try {
            for (const frame of this.options.form.decode(data))
                if (!this.#ended)
                    this.#takeFrame(frame);
        } catch (error) {
            if (!(error instanceof FormError || error instanceof SyntaxError))
                throw error;
            // Not final: something on the way may have sent it.
            this.fail(new ProtocolError(`what came is not comet's ${this.options.form.name} form: ${error.message}`,
                                        { cause: error }));
        }
    }

    /** @param {Frame} frame */
    #takeFrame(frame) {
        if (frame.pushed)
            this.events.message(frame);
        else if (frame.op === OP.DISCONNECT)
            this.#takeReason(frame);
        else if (frame.op === OP.AUTH_REPLY && !this.#opened)
            this.#open(/** @type {Hello} */ (this.options.form.value(frame.body)));
        else if (frame.op === OP.HEARTBEAT_REPLY && this.#opened)
            this.#takeHeartbeat(frame);
        else if (!this.#takeReply(frame) && frame.op !== OP.ACK_REPLY)
            this.events.message(frame);
    }

    /** @param {Hello} hello */
    #open(hello) {
        clearTimeout(this.#deadline);
        this.#opened = true;
        const silence = Number(hello.heartbeat) * 1000;
        const every = this.options.heartbeatMs ?? (silence > 0 ? silence * HEARTBEAT_SHARE : DEFAULT_HEARTBEAT_MS);
        this.#heart = setInterval(() => this.probe(), every);
        this.events.open(hello);
    }

    /** @param {Frame} frame */
    #takeHeartbeat({ body }) {
        clearTimeout(this.#probe);
        this.#probe = undefined;
        if (body instanceof Uint8Array && body.length === 4)
            this.events.count(new DataView(body.buffer, body.byteOffset).getUint32(0));
    }

    /**
     * Replies have the operation behind that of the request, or the same one.
     * @param {Frame} frame
     */
    #takeReply(frame) {
        const waiting = this.#waiting.get(frame.seq);
        if (waiting === undefined || (frame.op !== waiting.op && frame.op !== waiting.op + 1))
            return false;
        this.#waiting.delete(frame.seq);
        clearTimeout(waiting.timer);
        waiting.resolve(frame.body);
        return true;
    }

    /** @param {Frame} frame */
    #takeReason(frame) {
        const said = /** @type {Record<string, any>} */ (this.options.form.value(frame.body) ?? {});
        this.#reason = this.#errorOf(Number(said.code), String(said.reason ?? ''));
        this.#where = { nodes: stringsOf(said.nodes), wss: stringsOf(said.wss), backoff: said.backoff };
    }

    /**
     * A body that is too large is the program's fault; but with the next session it may send others.
     * @param {number} code
     * @param {string} reason
     */
    #errorOf(code, reason) {
        return code === 4 ? errorOfCode(code, reason, !this.#opened) : errorOfCode(code, reason);
    }

    // --- the end ---

    /**
     * @param {number} code
     * @param {string} reason
     */
    #closed(code, reason) {
        const ours = code > APPLICATION_CODES && code < APPLICATION_CODES + 1000;
        this.#end(this.#reason ?? (ours
            ? this.#errorOf(code - APPLICATION_CODES, reason)
            : new ConnectionLostError(`${this.options.url}: the connection ended (WebSocket ${code}` +
                                      `${reason ? `, ${reason}` : ''})`)));
    }

    /**
     * Gives the session up.
     * @param {ImcError} error
     */
    fail(error) {
        if (this.#ended)
            return;
        this.acks.flush();
        this.#end(this.#reason ?? error);
        this.socket.close(NORMAL_CLOSURE);
    }

    /** @param {ImcError} error */
    #end(error) {
        if (this.#ended)
            return;
        this.#ended = true;
        clearTimeout(this.#deadline);
        clearTimeout(this.#probe);
        clearInterval(this.#heart);
        this.acks.stop();
        for (const { reject, timer } of this.#waiting.values()) {
            clearTimeout(timer);
            reject(error);
        }
        this.#waiting.clear();
        this.events.end({ error, opened: this.#opened, ...this.#where });
    }
}
