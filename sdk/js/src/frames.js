// The two forms in which a session speaks: frames in binary WebSocket messages (goim v2's), and JSON (imgo's).
// Both are described in docs/protocol.md. Pure: nothing here keeps state.

/**
 * A frame, or an object of JSON mode, as it came.
 * @typedef {object} Frame
 * @property {number} version
 * @property {number} op
 * @property {number} seq
 * @property {string} [id] of an acknowledged session's message: 64 bits, in decimal
 * @property {unknown} body Uint8Array in binary form, a JSON value in JSON form
 * @property {boolean} pushed true: it came in a batch (operation 9), so it is no reply, whatever its operation
 */

/**
 * @typedef {object} Form
 * @property {'binary' | 'json'} name
 * @property {(op: number, seq: number, body: unknown) => string | Uint8Array<ArrayBuffer>} encode
 * @property {(data: unknown) => Frame[]} decode throws a FormError if DATA is not what comet sends
 * @property {(text: string) => unknown} textBody the body of a request that is text for comet: a list of rooms
 * @property {(body: unknown) => unknown} value a body that comet writes as JSON: of operations 6 and 8
 */

export const OP = Object.freeze({
    HEARTBEAT: 2,
    HEARTBEAT_REPLY: 3,
    SEND: 4,
    PUSH: 5,
    DISCONNECT: 6,
    AUTH: 7,
    AUTH_REPLY: 8,
    RAW: 9,
    ACK: 18,
    ACK_REPLY: 19,
    JOIN: 20,
    JOIN_REPLY: 21,
    LEAVE: 22,
    LEAVE_REPLY: 23,
});

const VERSION = 1;
const HEADER = 16;
const HEADER_ID = 24;
const ID_AT = 16;

/** What came is no frame, or no JSON, of comet's. */
export class FormError extends Error {
    /** @param {string} message */
    constructor(message) {
        super(message);
        this.name = 'FormError';
    }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** @param {string} text */
export const toBytes = (text) => encoder.encode(text);
/** @param {Uint8Array} bytes */
export const toText = (bytes) => decoder.decode(bytes);

/**
 * The bytes that a body is sent as: bytes as they are, a string as UTF-8, any other value as JSON.
 * @param {unknown} body
 * @returns {Uint8Array}
 */
export function bodyBytes(body) {
    if (body === undefined || body === null)
        return new Uint8Array(0);
    if (body instanceof Uint8Array)
        return body;
    if (body instanceof ArrayBuffer)
        return new Uint8Array(body);
    return toBytes(typeof body === 'string' ? body : JSON.stringify(body));
}

// --- binary ---

/**
 * @param {number} op
 * @param {number} seq
 * @param {unknown} body
 */
export function encodeFrame(op, seq, body) {
    const bytes = bodyBytes(body), frame = new Uint8Array(HEADER + bytes.length), view = new DataView(frame.buffer);
    view.setUint32(0, frame.length);
    view.setUint16(4, HEADER);
    view.setUint16(6, VERSION);
    view.setInt32(8, op);
    view.setInt32(12, seq);
    frame.set(bytes, HEADER);
    return frame;
}

/**
 * The frame that begins at byte AT of BYTES, and where it ends.
 * @param {Uint8Array} bytes
 * @param {number} at
 * @param {boolean} pushed
 * @returns {[Frame, number]}
 */
function frameAt(bytes, at, pushed) {
    const left = bytes.length - at;
    if (left < HEADER)
        throw new FormError(`a frame of ${left} bytes, of which the header takes ${HEADER}`);
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, left);
    const length = view.getUint32(0), header = view.getUint16(4);
    if (header < HEADER || length < header || length > left)
        throw new FormError(`a frame of ${length} bytes with a header of ${header}, where ${left} bytes are left`);
    /** @type {Frame} */
    const frame = {
        version: view.getUint16(6),
        op: view.getInt32(8),
        seq: view.getInt32(12),
        body: bytes.subarray(at + header, at + length),
        pushed,
    };
    if (header >= HEADER_ID)
        frame.id = view.getBigUint64(ID_AT).toString();
    return [frame, at + length];
}

/**
 * @param {Uint8Array} bytes
 * @param {boolean} pushed
 */
function framesIn(bytes, pushed) {
    const frames = [];
    for (let at = 0; at < bytes.length;) {
        const [frame, end] = frameAt(bytes, at, pushed);
        frames.push(frame);
        at = end;
    }
    return frames;
}

/**
 * The frames of one WebSocket message; those of a batch come without the frame around them.
 * @param {unknown} data
 */
export function decodeFrames(data) {
    if (!(data instanceof ArrayBuffer || data instanceof Uint8Array))
        throw new FormError('a text message, where comet sends binary ones');
    const frames = framesIn(data instanceof ArrayBuffer ? new Uint8Array(data) : data, false);
    return frames.flatMap((frame) =>
        frame.op === OP.RAW ? framesIn(/** @type {Uint8Array} */ (frame.body), true) : [frame]);
}

/** @type {Form} */
export const binary = Object.freeze({
    name: 'binary',
    encode: encodeFrame,
    decode: decodeFrames,
    textBody: toBytes,
    value: (body) => {
        const bytes = /** @type {Uint8Array} */ (body);
        return bytes.length === 0 ? {} : JSON.parse(toText(bytes));
    },
});

// --- JSON ---

/** @param {unknown} value */
const isWhole = (value) => Number.isInteger(value);

/**
 * @param {unknown} item
 * @returns {Frame}
 */
function frameOfObject(item) {
    if (item === null || typeof item !== 'object')
        throw new FormError('an array of something else than objects');
    const { ver = 0, op, seq = 0, id, body } = /** @type {Record<string, any>} */ (item);
    if (!isWhole(op) || !isWhole(seq) || !isWhole(ver))
        throw new FormError('an object whose op, seq or ver is not a whole number');
    if (id !== undefined && !(typeof id === 'string' && /^\d{1,20}$/.test(id)))
        throw new FormError('an object whose id is not a decimal string');
    return { version: ver, op, seq, body, pushed: id !== undefined, ...(id === undefined ? {} : { id }) };
}

/** @param {unknown} data */
export function decodeObjects(data) {
    if (typeof data !== 'string')
        throw new FormError('a binary message, where comet sends text');
    /** @type {unknown} */
    let items;
    try {
        items = JSON.parse(data);
    } catch (error) {
        throw new FormError(`not JSON: ${/** @type {Error} */ (error).message}`);
    }
    if (!Array.isArray(items))
        throw new FormError('JSON that is not an array');
    return items.map(frameOfObject);
}

/**
 * Bytes have no form in JSON: they are sent as the text that they are in UTF-8.
 * @param {unknown} body
 */
function jsonBody(body) {
    if (body instanceof ArrayBuffer || body instanceof Uint8Array)
        return toText(bodyBytes(body));
    return body === undefined || body === null ? {} : body;
}

/** @type {Form} */
export const json = Object.freeze({
    name: 'json',
    encode: (op, seq, body) => JSON.stringify({ ver: VERSION, op, seq, body: jsonBody(body) }),
    decode: decodeObjects,
    textBody: (text) => text,
    value: (body) => body,
});

/**
 * @param {string} name
 * @returns {Form}
 */
export function formOf(name) {
    if (name === 'binary')
        return binary;
    if (name === 'json')
        return json;
    throw new TypeError(`form: '${name}' is neither 'binary' nor 'json'`);
}
