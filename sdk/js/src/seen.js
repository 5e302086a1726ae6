// Which messages came already, by their ids: the newest ones, of bounded number. An acknowledged session gets a message
// again when its acknowledgement was lost (at least once); the application gets it once.

export class Seen {
    /** @param {number} most ids that are kept; the oldest goes first */
    constructor(most) {
        if (!(Number.isInteger(most) && most > 0))
            throw new TypeError('dedupe: has to be a whole number above 0');
        this.most = most;
        /** @type {Map<string, Promise<void>>} */
        this.ids = new Map();
    }

    get size() {
        return this.ids.size;
    }

    /**
     * What handles ID, or has handled it; undefined: ID is new.
     * @param {string} id
     */
    handling(id) {
        return this.ids.get(id);
    }

    /**
     * ID is being handled; it is forgotten if DONE fails, because it has to come again then.
     * @param {string} id
     * @param {Promise<void>} done
     */
    add(id, done) {
        this.ids.set(id, done);
        done.catch(() => {
            if (this.ids.get(id) === done)
                this.ids.delete(id);
        });
        if (this.ids.size > this.most)
            this.ids.delete(/** @type {string} */ (this.ids.keys().next().value));
    }
}
