// Typed events. Unlike Node's, a handler that fails harms neither the others nor who emits.

/**
 * @template {object} Events  name → what its handlers get
 */
export class Emitter {
    constructor() {
        /** @type {Map<keyof Events, Set<(event: any) => unknown>>} */
        this.handlers = new Map();
    }

    /**
     * Calls HANDLER at each event NAME. Returns what ends that.
     * @template {keyof Events} K
     * @param {K} name
     * @param {(event: Events[K]) => unknown} handler
     * @returns {() => void}
     */
    on(name, handler) {
        let set = this.handlers.get(name);
        if (set === undefined)
            this.handlers.set(name, set = new Set());
        set.add(handler);
        return () => this.off(name, handler);
    }

    /**
     * The same for the next event only.
     * @template {keyof Events} K
     * @param {K} name
     * @param {(event: Events[K]) => unknown} handler
     */
    once(name, handler) {
        const end = this.on(name, (event) => {
            end();
            return handler(event);
        });
        return end;
    }

    /**
     * @template {keyof Events} K
     * @param {K} name
     * @param {(event: Events[K]) => unknown} handler
     */
    off(name, handler) {
        this.handlers.get(name)?.delete(handler);
    }

    /**
     * Resolves when each handler has returned, and what it returned has resolved. Rejects with the first failure.
     * @template {keyof Events} K
     * @param {K} name
     * @param {Events[K]} event
     * @returns {Promise<void>}
     */
    async emit(name, event) {
        const results = [...(this.handlers.get(name) ?? [])].map((handler) => {
            try {
                return Promise.resolve(handler(event));
            } catch (error) {
                return Promise.reject(error);
            }
        });
        const failed = (await Promise.allSettled(results)).find((result) => result.status === 'rejected');
        if (failed !== undefined)
            throw /** @type {PromiseRejectedResult} */ (failed).reason;
    }
}
