// Which sequence of a session is acknowledged next. Sequences are 1, 2, 3 … of this session; an acknowledgement is
// cumulative, so it waits for the oldest message that is still being handled.
//
//   taken(seq) ─► the application handles it ─► handled(seq) ─► within delayMs, or at once if BATCH wait: send(highest)

// Comet lets a session have session.ack_window (64) messages that are not acknowledged, and goes on at half of it.
const BATCH = 16;

export class Acks {
    /**
     * @param {(seq: number) => void} send
     * @param {number} delayMs
     */
    constructor(send, delayMs) {
        this.send = send;
        this.delayMs = delayMs;
        /** All up to this one are handled. */
        this.upTo = 0;
        this.sent = 0;
        /** @type {Set<number>} handled, but an older one is not */
        this.ahead = new Set();
        /** @type {ReturnType<typeof setTimeout> | undefined} */
        this.timer = undefined;
    }

    /** @param {number} seq */
    handled(seq) {
        this.ahead.add(seq);
        // Sequences are 32 bits, and go on with the lowest one behind the highest.
        for (let next = (this.upTo + 1) | 0; this.ahead.delete(next); next = (next + 1) | 0)
            this.upTo = next;
        if (((this.upTo - this.sent) | 0) >= BATCH)
            this.flush();
        else if (this.upTo !== this.sent && this.timer === undefined)
            this.timer = setTimeout(() => this.flush(), this.delayMs);
    }

    /** Acknowledges now what is handled. */
    flush() {
        clearTimeout(this.timer);
        this.timer = undefined;
        if (this.upTo === this.sent)
            return;
        this.sent = this.upTo;
        this.send(this.sent);
    }

    /** The session has ended. */
    stop() {
        clearTimeout(this.timer);
        this.timer = undefined;
        this.send = () => {};
    }
}
