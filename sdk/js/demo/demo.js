// Two users in one page. Each has a client of the SDK; the page is their business, too: it makes their tokens and pushes
// what they say, by logic's HTTP API. What comes is shown as text, never as HTML.
//
//   Alice says something ──► POST /1/push/room or /1/push ──► ✓ ──► Bob's client has it ──► POST /1/push to Alice:
//   { receipt: n } ──► Alice's client ──► ✓✓
import { Client } from './imc/index.js';

const NAMES = ['Alice', 'Bob'];
const TOKEN_SECONDS = 3600;
const UIDS = 1_000_000_000_000; // where the uids of this page begin: two of 10¹²
const TICKS = { sending: '…', accepted: '✓', delivered: '✓✓', failed: '✗' };

const $ = (id) => document.getElementById(id);

/** @type {string} */
let key = '';
/** @type {User[]} */
let users = [];

// --- logic's HTTP API ---

/** Resolves with the answer; rejects with what logic says. */
async function api(method, path, query, body) {
    const headers = key === '' ? {} : { Authorization: `Bearer ${key}` };
    const response = await fetch(`${path}?${new URLSearchParams(query)}`,
                                 { method, headers, body, credentials: 'omit', cache: 'no-store' });
    const answer = await response.json().catch(() => ({ error: `status ${response.status}` }));
    if (!response.ok || (answer.ret !== undefined && answer.ret !== 1))
        throw new Error(`${path}: ${answer.error ?? answer.message ?? `status ${response.status}`}`);
    return answer;
}

async function makeToken(uid) {
    const { data } = await api('POST', '/1/admin/token/new', {}, JSON.stringify({ uid, expire: TOKEN_SECONDS }));
    return data.token;
}

const pushToUser = (uid, what) => api('POST', '/1/push', { uid }, JSON.stringify(what));
const pushToRoom = (rid, what) => api('POST', '/1/push/room', { rid }, JSON.stringify(what));
const askForComets = () => api('GET', '/goim/nodes/weighted', { platform: 'web' });

/** Others may push what is no JSON. */
function valueOf(message) {
    try {
        return message.json();
    } catch {
        return undefined;
    }
}

// --- a user ---

class User {
    /** @param {string} name @param {number} uid @param {string} room @param {string} comet */
    constructor(name, uid, room, comet) {
        Object.assign(this, { name, uid, room });
        /** @type {Map<string, HTMLElement>} ticks of what this user sent */
        this.ticks = new Map();
        this.#show();
        this.client = new Client({
            ...(comet === '' ? { nodes: askForComets } : { url: comet }),
            getToken: () => makeToken(uid),
            rooms: [room],
            ack: true,
        });
        this.client.on('open', ({ acknowledged }) =>
            this.#say(acknowledged ? 'online, acknowledges what comes' : 'online', 'online'));
        this.client.on('retry', ({ error, delayMs }) =>
            this.#say(`${error.message}; next try in ${(delayMs / 1000).toFixed(1)} s`, 'waiting'));
        this.client.on('close', ({ error, willRetry }) => willRetry || this.#say(error.message, 'closed'));
        this.client.on('message', (message) => this.#take(valueOf(message)));
    }

    get other() {
        return /** @type {User} */ (users.find((user) => user !== this));
    }

    close() {
        this.client.close();
        this.pane.remove();
    }

    // --- what is seen ---

    #show() {
        this.pane = /** @type {DocumentFragment} */ ($('pane').content.cloneNode(true)).firstElementChild;
        this.pane.id = this.name.toLowerCase();
        this.pane.querySelector('h2').textContent = this.name;
        this.pane.querySelector('.switch').addEventListener('click', () => this.#switch());
        this.pane.querySelector('.composer').addEventListener('submit', (event) => {
            event.preventDefault();
            this.#compose();
        });
        $('panes').append(this.pane);
    }

    /** @param {string} text @param {string} kind */
    #say(text, kind) {
        const state = this.pane.querySelector('.state');
        state.textContent = text;
        state.className = `state ${kind}`;
        this.pane.querySelector('.switch').textContent = kind === 'closed' ? 'Go online' : 'Go offline';
    }

    #switch() {
        if (this.client.state === 'closed')
            this.client.connect();
        else
            this.client.close();
    }

    /** @param {string} from @param {string} text @param {boolean} mine */
    #add(from, text, mine) {
        const item = document.createElement('li'), who = document.createElement('span'),
            words = document.createElement('span'), ticks = document.createElement('span');
        item.className = mine ? 'mine' : 'theirs';
        [who.className, words.className, ticks.className] = ['from', 'words', 'ticks'];
        who.textContent = from === '' ? '' : `${from}: `;
        words.textContent = text;
        item.append(who, words, ' ', ticks);
        this.pane.querySelector('.messages').append(item);
        item.scrollIntoView({ block: 'nearest' });
        return ticks;
    }

    // --- what goes, what comes ---

    async #compose() {
        const input = this.pane.querySelector('.text'), text = input.value;
        const toRoom = this.pane.querySelector('.to').value === 'room';
        if (text === '')
            return;
        input.value = '';
        const n = crypto.randomUUID?.() ?? `${Date.now()}.${Math.random()}`, ticks = this.#add('', text, true);
        this.ticks.set(n, ticks);
        ticks.textContent = TICKS.sending;
        const what = { n, from: this.uid, text, room: toRoom };
        try {
            await (toRoom ? pushToRoom(this.room, what) : pushToUser(this.other.uid, what));
            if (ticks.textContent === TICKS.sending) // the receipt may have been quicker
                ticks.textContent = TICKS.accepted;
        } catch (error) {
            ticks.textContent = `${TICKS.failed} ${error.message}`;
        }
    }

    /**
     * Resolves when the receipt is on its way: then the message is acknowledged.
     * @param {any} what
     */
    async #take(what) {
        if (typeof what?.receipt === 'string') {
            const ticks = this.ticks.get(what.receipt);
            if (ticks !== undefined)
                ticks.textContent = TICKS.delivered;
        } else if (typeof what?.text === 'string' && what.from !== this.uid) {
            const from = what.from === this.other.uid ? this.other.name : `user ${what.from}`;
            this.#add(from + (what.room === true ? ', to the room' : ''), what.text, false);
            if (what.from === this.other.uid)
                await pushToUser(what.from, { receipt: String(what.n) });
        }
    }
}

// --- the page ---

const defaultComet = () => location.protocol === 'https:' ? `wss://${location.hostname}:8095/sub`
    : `ws://${location.hostname}:8090/sub`;

function start() {
    users.forEach((user) => user.close());
    users = [];
    key = $('key').value;
    $('trouble').textContent = '';
    const first = UIDS + 2 * Math.floor(Math.random() * 5e11), comet = $('comet').value.trim(), room = $('room').value;
    try {
        users = NAMES.map((name, i) => new User(name, first + i, room, comet));
    } catch (error) {
        $('panes').replaceChildren();
        $('trouble').textContent = error.message;
    }
}

$('comet').value = defaultComet();
$('setup').addEventListener('submit', (event) => {
    event.preventDefault();
    start();
});
globalThis.addEventListener('error', ({ message }) => { $('trouble').textContent = message; });
globalThis.addEventListener('unhandledrejection', ({ reason }) => { $('trouble').textContent = String(reason); });
