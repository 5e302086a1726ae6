// A message as the application gets it: the same in both forms.
import { toText } from './frames.js';

export class Message {
    /** @param {import('./frames.js').Frame} frame */
    constructor(frame) {
        /** The operation that it was pushed with: 5 by default. */
        this.op = frame.op;
        /** Of an acknowledged session: 64 bits, in decimal. The same message has the same id wherever it comes. */
        this.id = frame.id;
        /** Of an acknowledged session: 1, 2, 3 … of this session. Otherwise 0. */
        this.seq = frame.seq;
        /** Uint8Array in binary form, a JSON value in JSON form. */
        this.body = frame.body;
    }

    /** The body as text. A JSON value that is no string is written as JSON. */
    text() {
        if (this.body instanceof Uint8Array)
            return toText(this.body);
        return typeof this.body === 'string' ? this.body : JSON.stringify(this.body);
    }

    /**
     * The body as a JSON value. In binary form it throws a SyntaxError if the body is no JSON; in JSON form a body that
     * is no JSON is a string.
     * @returns {any}
     */
    json() {
        return this.body instanceof Uint8Array ? JSON.parse(toText(this.body)) : this.body;
    }
}
