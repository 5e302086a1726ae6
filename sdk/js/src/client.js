// The client: opens a session, and the next one when it ends, for as long as that may help.
//
//              connect()              an address, a token            operation 8, rooms joined
//   CLOSED ──────────────► CONNECTING ─────────────────► CONNECTING ───────────────────────────► OPEN
//     ▲                       ▲   │ fails                                                         │ ends
//     │                       │   └────────────────► WAITING ◄────────────────────────────────────┘
//     │                       └── time, network, page ──┘ │
//     └── close(), or an error that another try does not mend (errors.js: fatal)
import { Backoff } from './backoff.js';
import { Emitter } from './emitter.js';
import { ClosedError, ConnectionLostError, HandlerError, ImcError, OverflowError, TimeoutError,
         TokenError } from './errors.js';
import { OP, formOf } from './frames.js';
import { Message } from './message.js';
import { Nodes } from './nodes.js';
import { isOffline, watchPage } from './page.js';
import { Rooms } from './rooms.js';
import { Seen } from './seen.js';
import { Session } from './session.js';

/** @typedef {import('./frames.js').Frame} Frame */
/** @typedef {import('./session.js').Hello} Hello */
/** @typedef {import('./session.js').Ending} Ending */

/**
 * @typedef {object} ClientOptions
 * @property {string} [url] one address: ws://HOST:PORT/sub or wss://…; exactly one of url, urls and nodes is given
 * @property {string[]} [urls] several, tried in this order
 * @property {import('./nodes.js').NodesSource} [nodes] URL of logic's /goim/nodes/weighted, or a function that returns
 *   its answer, its data, or addresses
 * @property {boolean} [tls] with nodes: connect to wss_port; default: the page came by https
 * @property {string} [token]
 * @property {(why: { refused: boolean }) => string | Promise<string>} [getToken] asked before the first session, and
 *   again (refused: true) when a token was refused
 * @property {number} [mid] for clusters that believe it (auth.trust_mid)
 * @property {string} [key] the device's name: a newer session of the same key takes the place of this one
 * @property {string} [room] the main room
 * @property {string[]} [rooms] beside it; without this option, those of the token
 * @property {number[]} [accepts] operations of messages to the user that are wanted; default: all
 * @property {string} [platform]
 * @property {'binary' | 'json'} [form] default: binary
 * @property {boolean} [ack] acknowledge messages to the user: at least once, to the end of the handlers of 'message'
 * @property {number} [dedupe] ids of messages that are kept to know duplicates by; default: 4096
 * @property {number} [handlerAttempts] how often a message whose handler fails comes; default: 3
 * @property {import('./backoff.js').BackoffOptions} [backoff] default: what the list of nodes says, else 1 s to 60 s
 * @property {number} [heartbeatMs] default: what the list of nodes says, else 40 % of comet's conn.heartbeat
 * @property {number} [connectTimeoutMs] default: 10 s
 * @property {number} [replyTimeoutMs] of a heartbeat; default: 10 s
 * @property {number} [sendTimeoutMs] of send(), join(), leave(); default: 30 s
 * @property {number} [ackDelayMs] acknowledgements within this time are one; default: 50
 * @property {number} [maxBody] longest body that comet takes (conn.max_body); default: 4096
 * @property {number} [maxWaiting] calls that may wait for a session at a time; default: 1000
 * @property {new (url: string) => any} [WebSocket] default: the global one
 */

/**
 * @typedef {object} ClientEvents
 * @property {Message} message
 * @property {{ url: string, key?: string, server?: string, acknowledged: boolean }} open a session is there
 * @property {{ error: ImcError, willRetry: boolean }} close a session has ended, or could not be had for good
 * @property {{ error: ImcError, delayMs: number }} retry the next try is made in delayMs
 * @property {ImcError} error what no call is told of: a handler failed, an error that is fatal
 * @property {number} count sessions in the main room, with each heartbeat (binary form)
 */

/** @typedef {'connecting' | 'open' | 'waiting' | 'closed'} State */

const NAMED_PAUSE_MS = 1000; // before the first of the comets that one named as it left
const STABLE_MS = 10_000; // a session that lasts for so long ends a row of failures
const HURRY_MS = 1000; // between two tries that the page or the network asks for
const CONNECT_TIMEOUT_MS = 10_000;
const SEND_TIMEOUT_MS = 30_000;
const HELD_MOST = 1000; // messages that wait for the first handler

/** @returns {{ promise: Promise<void>, resolve: () => void, reject: (error: ImcError) => void }} */
function deferred() {
    /** @type {any} */
    const made = {};
    made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
    made.promise.catch(() => {}); // nobody has to look at it
    return made;
}

/** @param {ClientOptions} options */
function checked(options) {
    const { token, getToken, mid, WebSocket = globalThis.WebSocket } = options;
    if ((token !== undefined) && (getToken !== undefined))
        throw new TypeError('token, getToken: at most one of them may be given');
    if (token === undefined && getToken === undefined && mid === undefined)
        throw new TypeError('token, getToken: one of them has to be given');
    if (typeof WebSocket !== 'function')
        throw new TypeError('WebSocket: there is no global one; give an implementation by this option');
    return { ...options, WebSocket };
}

/** @extends {Emitter<ClientEvents>} */
export class Client extends Emitter {
    #ready = deferred();
    /** @type {State} */
    #state = 'closed';
    /** @type {Session | undefined} */
    #session;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    #timer;
    #round = 0; // of tries: what an older one still does is of no interest
    #triedAt = 0;
    #openedAt = 0;
    #url = '';
    /** @type {string | undefined} */
    #token;
    #refused = false; // the present token was made because the one before was refused
    #waiting = 0;
    /** @type {number | undefined} */
    #heartbeatMs;
    /** @type {Map<string, number>} how often the handlers of a message failed */
    #failures = new Map();
    /** @type {[Session, Frame][]} */
    #held = [];
    /** @type {() => void} */
    #unwatch = () => {};

    /** @param {ClientOptions} options */
    constructor(options) {
        super();
        this.options = checked(options);
        const { form = 'binary', connectTimeoutMs = CONNECT_TIMEOUT_MS, dedupe = 4096, backoff, rooms, token } = options;
        this.form = formOf(form);
        this.backoff = new Backoff(backoff);
        this.nodes = new Nodes(options, connectTimeoutMs);
        this.rooms = new Rooms(rooms);
        this.seen = new Seen(dedupe);
        this.#token = token;
        this.connect();
    }

    get state() {
        return this.#state;
    }

    /** Resolves when a session is there; rejects when the client has closed for good. */
    get ready() {
        return this.#ready.promise;
    }

    /** Where the last session was, or is tried. */
    get url() {
        return this.#url;
    }

    // --- calls ---

    /** Begins anew after close() or a fatal error. Otherwise it does nothing. */
    connect() {
        if (this.#state !== 'closed')
            return;
        this.#ready = deferred();
        this.#refused = false;
        this.#unwatch = watchPage({
            visible: () => this.#look(),
            online: () => this.#look(),
            offline: () => this.#wentOffline(),
        });
        this.backoff.reset();
        this.#state = 'connecting';
        queueMicrotask(() => this.#state === 'connecting' && this.#try()); // handlers are set by then
    }

    /** Ends the session, and opens no other one. */
    close() {
        this.#finish(new ClosedError('the client was closed'));
    }

    /**
     * Sends BODY to the business (operation 4), when there is a session. Resolves with the answer's body when the
     * cluster has it. If it rejects with a ConnectionLostError or a TimeoutError, it may have arrived.
     * @param {unknown} body bytes, a string, or a value that is sent as JSON
     * @param {{ op?: number }} [options]
     * @returns {Promise<unknown>}
     */
    async send(body, { op = OP.SEND } = {}) {
        return (await this.#whenOpen()).request(op, body);
    }

    /**
     * Enters ROOM, in this session and in those that follow. Resolves when all that is pushed to it from now on comes.
     * @param {string} room
     */
    async join(room) {
        await this.#changeRoom(OP.JOIN, room, this.rooms.join(room));
    }

    /**
     * @param {string} room
     */
    async leave(room) {
        await this.#changeRoom(OP.LEAVE, room, this.rooms.leave(room));
    }

    /**
     * Gives the open session another token, before the present one expires (docs/tokens.md). The sessions that follow
     * have it, too.
     * @param {string} [token] default: what getToken says
     */
    async renew(token) {
        const session = await this.#whenOpen(), { getToken } = this.options;
        const fresh = token ?? await getToken?.({ refused: false });
        if (typeof fresh !== 'string')
            throw new TypeError('renew: there is no token, and no getToken to ask for one');
        this.#token = fresh;
        await session.request(OP.AUTH, this.#authBody(fresh));
    }

    /**
     * @template {keyof ClientEvents} K
     * @param {K} name
     * @param {(event: ClientEvents[K]) => unknown} handler
     */
    on(name, handler) {
        const end = super.on(name, handler);
        if (name === 'message' && this.#held.length > 0)
            queueMicrotask(() => this.#held.splice(0).forEach(([session, frame]) => this.#deliver(session, frame)));
        return end;
    }

    // --- one try after the other ---

    async #try() {
        const round = ++this.#round;
        clearTimeout(this.#timer);
        this.#state = 'connecting';
        this.#triedAt = Date.now();
        try {
            const url = await this.nodes.next((addresses) => this.#adopt(addresses));
            const auth = this.#authBody(await this.#getToken());
            if (round === this.#round)
                this.#open(url, auth);
        } catch (error) {
            if (round === this.#round)
                this.#retry(error instanceof ImcError ? error : new ImcError(String(error), { cause: error }));
        }
    }

    /** @param {import('./nodes.js').Addresses} addresses */
    #adopt({ heartbeatMs, backoff }) {
        this.#heartbeatMs = heartbeatMs;
        if (this.options.backoff === undefined)
            this.backoff.adopt(backoff);
    }

    async #getToken() {
        const { getToken } = this.options;
        if (this.#token === undefined && getToken !== undefined) {
            try {
                this.#token = await getToken({ refused: this.#refused });
            } catch (error) {
                throw new TokenError(`getToken failed: ${/** @type {Error} */ (error)?.message ?? error}`,
                                     { cause: error });
            }
        }
        return this.#token;
    }

    /**
     * imgo's clients send their token as a string. All else takes goim's object.
     * @param {string | undefined} token
     */
    #authBody(token) {
        const { mid, key, room, accepts, platform, ack } = this.options;
        /** @type {Record<string, unknown>} */
        const body = { token, mid, key, room_id: room, accepts, platform, ack: ack ? true : undefined };
        const plain = Object.entries(body).every(([name, value]) => name === 'token' || value === undefined);
        if (this.form.name === 'json' && plain && token !== undefined)
            return token;
        return { ...body, hello: true, rooms: this.rooms.forAuth() };
    }

    /**
     * @param {string} url
     * @param {string | Record<string, unknown>} auth
     */
    #open(url, auth) {
        const { connectTimeoutMs = CONNECT_TIMEOUT_MS, replyTimeoutMs = 10_000, sendTimeoutMs = SEND_TIMEOUT_MS,
                ackDelayMs = 50, maxBody = 4096, heartbeatMs = this.#heartbeatMs, WebSocket } = this.options;
        this.#url = url;
        const options = { url, auth, connectTimeoutMs, replyTimeoutMs, sendTimeoutMs, ackDelayMs, maxBody, heartbeatMs,
                          WebSocket, form: this.form };
        /** @type {Session} */
        const session = new Session(options, {
            open: (hello) => this.#authenticated(session, hello, typeof auth === 'object' ? auth.rooms : undefined),
            message: (frame) => this.#take(session, frame),
            count: (n) => this.#tell('count', n),
            end: (ending) => this.#ended(session, ending),
        });
        this.#session = session;
    }

    /**
     * @param {Session} session
     * @param {Hello} hello
     * @param {unknown} named the rooms that the auth named
     */
    async #authenticated(session, hello, named) {
        try {
            for (const { op, list } of this.rooms.afterAuth(/** @type {string[]} */ (named ?? [])))
                await session.request(op, this.form.textBody(list));
        } catch (error) {
            session.fail(/** @type {ImcError} */ (error));
        }
        if (!session.isOpen || this.#session !== session)
            return;
        this.#state = 'open';
        this.#openedAt = Date.now();
        this.#refused = false;
        this.nodes.found();
        this.#tell('open', { url: this.#url, key: hello.key, server: hello.server, acknowledged: hello.ack === true });
        this.#ready.resolve();
    }

    /**
     * @param {Session} session
     * @param {Ending} ending
     */
    #ended(session, ending) {
        if (this.#session !== session)
            return;
        this.#session = undefined;
        const { error, opened } = ending;
        if (opened && this.#state === 'open' && Date.now() - this.#openedAt >= STABLE_MS)
            this.backoff.reset();
        if (error instanceof TokenError && this.#canAskAgain()) {
            this.#token = undefined;
            this.#refused = true;
        } else if (error.fatal || error instanceof TokenError) {
            error.fatal = true;
            this.#finish(error);
            return;
        }
        this.#lost(error, error.code === 9 ? this.#sendAway(ending) : undefined);
    }

    #canAskAgain() {
        return this.options.getToken !== undefined && !this.#refused;
    }

    /**
     * The pause before the first of the comets that one named as it left; undefined: it named none.
     * @param {Ending} ending
     */
    #sendAway({ nodes, wss, backoff }) {
        this.backoff.reset();
        if (this.options.backoff === undefined)
            this.backoff.adopt(backoff);
        return this.nodes.take(this.#url, { nodes, wss }) > 0 ? Math.random() * NAMED_PAUSE_MS : undefined;
    }

    /**
     * @param {ImcError} error
     * @param {number | undefined} delayMs
     */
    #lost(error, delayMs) {
        if (this.#state === 'open') {
            this.#ready = deferred();
            this.#tell('close', { error, willRetry: true });
        }
        this.#retry(error, delayMs);
    }

    /**
     * @param {ImcError} error
     * @param {number} [delayMs]
     */
    #retry(error, delayMs = this.backoff.next()) {
        if (this.#state === 'closed')
            return;
        this.#state = 'waiting';
        // The browser may be wrong about the network: without it, too, there is a try now and then.
        const pauseMs = isOffline() ? this.backoff.maxMs : delayMs;
        this.#wait(pauseMs);
        this.#tell('retry', { error, delayMs: pauseMs });
    }

    /** @param {number} delayMs */
    #wait(delayMs) {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.#try(), delayMs);
    }

    /**
     * The client closes for good.
     * @param {ImcError} error
     */
    #finish(error) {
        if (this.#state === 'closed')
            return;
        const session = this.#session;
        if (this.#state === 'open')
            this.#ready = deferred();
        this.#session = undefined;
        this.#state = 'closed';
        this.#round++;
        clearTimeout(this.#timer);
        this.#unwatch();
        session?.fail(error);
        if (this.options.getToken !== undefined)
            this.#token = undefined;
        this.#ready.reject(error);
        this.#tell('close', { error, willRetry: false });
        if (error.fatal)
            this.#tell('error', error);
    }

    // --- the page and the network ---

    /** Something may have changed: is the session there, can there be one? */
    #look() {
        if (this.#state === 'open')
            this.#session?.probe();
        else if (this.#state === 'waiting' && Date.now() - this.#triedAt >= HURRY_MS)
            this.#try();
        else if (this.#state === 'waiting')
            this.#wait(HURRY_MS);
    }

    #wentOffline() {
        if (this.#state === 'waiting')
            this.#wait(this.backoff.maxMs);
        else
            this.#session?.probe(); // the browser may mean another network
    }

    // --- requests ---

    /** @returns {Promise<Session>} */
    async #whenOpen() {
        if (this.#state === 'open' && this.#session?.isOpen)
            return this.#session;
        const { maxWaiting = 1000, sendTimeoutMs = SEND_TIMEOUT_MS } = this.options;
        if (this.#waiting >= maxWaiting)
            throw new OverflowError(`${maxWaiting} calls wait for a session already (option maxWaiting)`);
        this.#waiting++;
        /** @type {ReturnType<typeof setTimeout> | undefined} */
        let timer;
        const late = new Promise((_, reject) => {
            timer = setTimeout(() => reject(new TimeoutError(`no session within ${sendTimeoutMs} ms`)), sendTimeoutMs);
        });
        try {
            await Promise.race([this.ready, late]);
        } finally {
            clearTimeout(timer);
            this.#waiting--;
        }
        if (this.#session === undefined || !this.#session.isOpen)
            throw new ConnectionLostError('the session ended as soon as it was there');
        return this.#session;
    }

    /**
     * @param {number} op
     * @param {string} room
     * @param {() => void} undo
     */
    async #changeRoom(op, room, undo) {
        const session = await this.#whenOpen();
        try {
            await session.request(op, this.form.textBody(room));
        } catch (error) {
            // The next session does it with its auth. But a room that comet refuses would end that one, too.
            if (error instanceof ImcError && (error.fatal || error.code === 10)) {
                undo();
                throw error;
            }
            if (error instanceof TimeoutError)
                throw error;
            await this.#whenOpen();
        }
    }

    // --- messages ---

    /**
     * @param {Session} session
     * @param {Frame} frame
     */
    #take(session, frame) {
        if (this.handlers.get('message')?.size && this.#held.length === 0)
            this.#deliver(session, frame);
        else if (this.#held.length < HELD_MOST)
            this.#held.push([session, frame]);
        else
            this.#tell('error', new OverflowError(`no handler of 'message' is set: more than ${HELD_MOST} came`));
    }

    /**
     * @param {Session} session
     * @param {Frame} frame
     */
    #deliver(session, frame) {
        const { id, seq } = frame, message = new Message(frame);
        if (id === undefined) {
            this.emit('message', message).catch((error) => this.#tell('error', this.#handlerError(error)));
            return;
        }
        let done = this.seen.handling(id);
        if (done === undefined)
            this.seen.add(id, done = this.emit('message', message));
        done.then(() => session.acks.handled(seq), (error) => this.#failed(session, message, error));
    }

    /** @param {unknown} error */
    #handlerError(error) {
        return new HandlerError(`a handler of 'message' failed: ${/** @type {Error} */ (error)?.message ?? error}`,
                                { cause: error });
    }

    /**
     * A message that is not acknowledged comes again with the next session, and so do those behind it. So this session
     * ends. A message whose handler always fails must not end every session: it is acknowledged in the end.
     * @param {Session} session
     * @param {Message} message
     * @param {unknown} cause
     */
    #failed(session, { id, seq }, cause) {
        const { handlerAttempts = 3 } = this.options, error = this.#handlerError(cause), key = /** @type {string} */ (id);
        const failures = (this.#failures.get(key) ?? 0) + 1;
        this.#failures.delete(key);
        this.#tell('error', error);
        if (failures >= handlerAttempts) {
            session.acks.handled(seq);
            return;
        }
        this.#failures.set(key, failures);
        if (this.#failures.size > this.seen.most)
            this.#failures.delete(/** @type {string} */ (this.#failures.keys().next().value));
        session.fail(error);
    }

    /**
     * Events whose handlers acknowledge nothing. A handler that fails is a fault of the program, and told as such.
     * @template {keyof ClientEvents} K
     * @param {K} name
     * @param {ClientEvents[K]} event
     */
    #tell(name, event) {
        this.emit(name, event).catch((error) => queueMicrotask(() => { throw error; }));
    }
}
