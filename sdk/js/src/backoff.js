// How long to wait before the next try: exponential, with full jitter. A client that waits the whole time that another
// one waits comes with it; so each takes any time from 0 up to the bound of its try.

/**
 * @typedef {object} BackoffOptions
 * @property {number} [baseMs] bound of the first wait
 * @property {number} [maxMs] bound of any wait
 * @property {number} [factor] by which the bound grows with each failure
 */

export class Backoff {
    /**
     * @param {BackoffOptions} [options]
     * @param {() => number} [random] from 0 up to 1
     */
    constructor({ baseMs = 1000, maxMs = 60_000, factor = 2 } = {}, random = Math.random) {
        if (!(baseMs > 0 && maxMs >= baseMs && factor >= 1))
            throw new TypeError('backoff: baseMs has to be more than 0, maxMs at least baseMs, factor at least 1');
        this.baseMs = baseMs;
        this.maxMs = maxMs;
        this.factor = factor;
        this.random = random;
        /** How many waits there were since the last reset(). */
        this.tries = 0;
    }

    /** Milliseconds to wait now; the bound of the next wait is larger. */
    next() {
        const bound = Math.min(this.maxMs, this.baseMs * this.factor ** this.tries);
        if (bound < this.maxMs)
            this.tries++;
        return Math.floor(this.random() * bound);
    }

    reset() {
        this.tries = 0;
    }

    /**
     * Takes over what the cluster says: goim's form, in seconds. What is no number in range is left out. Its jitter is
     * not needed: full jitter spreads clients more.
     * @param {unknown} said
     */
    adopt(said) {
        const { base_delay: base, max_delay: max, factor } = /** @type {Record<string, any>} */ (said ?? {});
        const baseMs = base > 0 ? base * 1000 : this.baseMs, maxMs = max > 0 ? max * 1000 : this.maxMs;
        if (!Number.isFinite(baseMs) || !Number.isFinite(maxMs) || maxMs < baseMs)
            return;
        this.baseMs = baseMs;
        this.maxMs = maxMs;
        if (factor >= 1 && Number.isFinite(factor))
            this.factor = factor;
    }
}
