// Where to connect: the addresses that the application gave, those of a list that logic or a function knows, and those
// that a comet named as it left (code 9).
import { NodesError } from './errors.js';

/**
 * Data of /goim/nodes/weighted (docs/http-api.md).
 * @typedef {object} WeightedNodes
 * @property {string[]} nodes
 * @property {string} [domain]
 * @property {number} [ws_port]
 * @property {number} [wss_port]
 * @property {number} [heartbeat] seconds
 * @property {{ max_delay?: number, base_delay?: number, factor?: number, jitter?: number }} [backoff]
 */

/** @typedef {string | string[] | WeightedNodes} NodesAnswer */
/** @typedef {string | (() => NodesAnswer | Promise<NodesAnswer>)} NodesSource */

/**
 * @typedef {object} Addresses
 * @property {string[]} urls
 * @property {number} [heartbeatMs]
 * @property {unknown} [backoff]
 */

const PATH = '/sub';

/** Is this a page that a browser lets connect by TLS only? */
const isSecurePage = () => globalThis.location?.protocol === 'https:';

/** @param {string} host */
const inUrl = (host) => host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;

/**
 * @param {string} url
 * @param {string} option
 */
function checkUrl(url, option) {
    let scheme;
    try {
        scheme = new URL(url).protocol;
    } catch {
        scheme = undefined;
    }
    if (scheme !== 'ws:' && scheme !== 'wss:')
        throw new TypeError(`${option}: '${url}' is not a URL that begins with ws:// or wss://`);
    return url;
}

/**
 * @param {WeightedNodes} said
 * @param {boolean} tls
 * @returns {Addresses}
 */
export function addressesOf(said, tls) {
    const { ws_port: plain = 0, wss_port: secure = 0, domain } = said;
    const [scheme, port] = tls || !(plain > 0) ? ['wss', secure] : ['ws', plain];
    const hosts = [...new Set([...said.nodes, ...(domain ? [domain] : [])])];
    if (!(port > 0) || hosts.length === 0)
        throw new NodesError(`the list of nodes names no ${port > 0 ? 'comet' : `${scheme}_port`}`);
    return {
        urls: hosts.map((host) => `${scheme}://${inUrl(host)}:${port}${PATH}`),
        ...(Number(said.heartbeat) > 0 ? { heartbeatMs: Number(said.heartbeat) * 1000 } : {}),
        backoff: said.backoff,
    };
}

/**
 * @param {unknown} answer
 * @param {boolean} tls
 * @returns {Addresses}
 */
function readAnswer(answer, tls) {
    if (typeof answer === 'string')
        return { urls: [checkUrl(answer, 'nodes')] };
    if (Array.isArray(answer) && answer.length > 0)
        return { urls: answer.map((url) => checkUrl(url, 'nodes')) };
    const { code, message, data } = /** @type {Record<string, any>} */ (answer ?? {});
    if (code !== undefined && code !== 0)
        throw new NodesError(`the list of nodes was refused: ${message || `code ${code}`}`);
    const said = data ?? answer;
    if (!Array.isArray(said?.nodes))
        throw new NodesError('the answer to the question for nodes has no list "nodes"');
    return addressesOf(said, tls);
}

/** @param {string} url */
async function fetchNodes(url) {
    const response = await fetch(url, { headers: { Accept: 'application/json' } });
    if (!response.ok)
        throw new NodesError(`${url}: status ${response.status}`);
    return response.json();
}

/**
 * @template T
 * @param {Promise<T>} promise
 * @param {number} ms
 * @returns {Promise<T>}
 */
function within(promise, ms) {
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new NodesError(`no list of nodes within ${ms} ms`)), ms);
    });
    return Promise.race([promise, /** @type {Promise<never>} */ (late)]).finally(() => clearTimeout(timer));
}

export class Nodes {
    /**
     * Each is tried once, the first one first; then the list is had anew.
     * @type {string[]}
     */
    #left = [];
    /** @type {string[]} that a comet named as it left */
    #named = [];

    /**
     * @param {object} options
     * @param {string} [options.url]
     * @param {string[]} [options.urls]
     * @param {NodesSource} [options.nodes]
     * @param {boolean} [options.tls]
     * @param {number} timeoutMs
     */
    constructor({ url, urls, nodes, tls = isSecurePage() }, timeoutMs) {
        if ([url, urls, nodes].filter((given) => given !== undefined).length !== 1)
            throw new TypeError('url, urls, nodes: exactly one of them has to be given');
        if (urls !== undefined && !(Array.isArray(urls) && urls.length > 0))
            throw new TypeError('urls: has to be a list of at least one URL');
        this.fixed = nodes === undefined
            ? /** @type {string[]} */ (urls ?? [url]).map((one) => checkUrl(one, url === undefined ? 'urls' : 'url'))
            : undefined;
        this.source = nodes;
        this.tls = tls;
        this.timeoutMs = timeoutMs;
    }

    /**
     * The comets that a comet names as it leaves are tried before all others.
     * @param {string} url at which that comet was
     * @param {{ nodes: string[], wss: string[] }} named
     */
    take(url, { nodes, wss }) {
        const { protocol, pathname } = new URL(url), tls = protocol === 'wss:';
        this.#named = (tls ? wss : nodes).map((address) => `${protocol}//${address}${pathname}`)
            .filter((one) => URL.canParse ? URL.canParse(one) : true);
        this.#left = [];
        return this.#named.length;
    }

    /**
     * The next address to try. Rejects with a NodesError if there is none now.
     * @param {(addresses: Addresses) => void} onList a list was had from the source
     * @returns {Promise<string>}
     */
    async next(onList) {
        const named = this.#named.shift();
        if (named !== undefined)
            return named;
        if (this.#left.length === 0)
            this.#left = this.fixed !== undefined ? [...this.fixed] : await this.#ask(onList);
        return /** @type {string} */ (this.#left.shift());
    }

    /** A session was let in: what its list held besides is old by the time it ends. */
    found() {
        this.#named = [];
        this.#left = [];
    }

    /** @param {(addresses: Addresses) => void} onList */
    async #ask(onList) {
        const source = this.source;
        try {
            const answer = typeof source === 'function' ? Promise.resolve(source()) : fetchNodes(String(source));
            const addresses = readAnswer(await within(answer, this.timeoutMs), this.tls);
            onList(addresses);
            return addresses.urls;
        } catch (error) {
            if (error instanceof NodesError)
                throw error;
            throw new NodesError(`nodes: ${/** @type {Error} */ (error)?.message ?? error}`, { cause: error });
        }
    }
}
