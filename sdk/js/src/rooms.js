// Which rooms a session is to be in, so that the next one is in them too.
//
// A session comes to its rooms by its auth, which names them ("rooms"), or else by its token. What was joined and left
// since is done anew behind the auth, by operations 20 and 22.
import { OP, toBytes } from './frames.js';

const ROOM_MOST = 128; // bytes
const AUTH_MOST = 1000; // bytes of "rooms" in an auth, with the commas; comet takes 1024
const LIST_MOST = 2000; // bytes of a list in operation 20 or 22; comet takes conn.max_body

/** @param {string} room */
function check(room) {
    // eslint-disable-next-line no-control-regex
    if (typeof room !== 'string' || room === '' || toBytes(room).length > ROOM_MOST || /[\u0000-\u001f\u007f,]/.test(room))
        throw new TypeError(`room: has to be a string of 1 to ${ROOM_MOST} bytes without commas and control characters`);
    return room;
}

/**
 * Lists of ROOMS, separated by commas, each of at most MOST bytes.
 * @param {string[]} rooms
 * @param {number} most
 */
function listsOf(rooms, most) {
    /** @type {string[][]} */
    const lists = [];
    let size = most;
    for (const room of rooms) {
        const bytes = toBytes(room).length + 1;
        if (size + bytes > most) {
            lists.push([]);
            size = 0;
        }
        lists[lists.length - 1].push(room);
        size += bytes;
    }
    return lists;
}

export class Rooms {
    /** @type {Map<string, boolean>} room → it is wanted; false: it was left */
    #wanted = new Map();

    /** @param {string[] | undefined} rooms undefined: those of the token */
    constructor(rooms) {
        this.named = rooms !== undefined;
        for (const room of rooms ?? [])
            this.#wanted.set(check(room), true);
    }

    /**
     * Returns what takes it back.
     * @param {string} room
     */
    join(room) {
        return this.#set(check(room), true);
    }

    /** @param {string} room */
    leave(room) {
        return this.#set(check(room), false);
    }

    /**
     * @param {string} room
     * @param {boolean} wanted
     */
    #set(room, wanted) {
        const before = this.#wanted.get(room);
        this.#wanted.set(room, wanted);
        return () => {
            if (before === undefined)
                this.#wanted.delete(room);
            else
                this.#wanted.set(room, before);
        };
    }

    /** @param {boolean} wanted */
    #list(wanted) {
        return [...this.#wanted].filter(([, is]) => is === wanted).map(([room]) => room);
    }

    /** What the auth names; undefined: the token says it. */
    forAuth() {
        return this.named ? listsOf(this.#list(true), AUTH_MOST)[0] ?? [] : undefined;
    }

    /**
     * What is left to do behind the auth.
     * @param {string[]} named what the auth named
     */
    afterAuth(named) {
        const done = new Set(named);
        const join = this.#list(true).filter((room) => !done.has(room));
        /**
         * @param {number} op
         * @param {string[]} rooms
         */
        const requests = (op, rooms) => listsOf(rooms, LIST_MOST).map((list) => ({ op, list: list.join(',') }));
        return [...requests(OP.JOIN, join), ...requests(OP.LEAVE, this.#list(false))];
    }
}
