// Clients for tests: quick, without chance in their pauses, closed when their test ends.
import { Client } from '../../src/index.js';
import { TestWebSocket } from './websocket.js';

export function clientOf(t, options) {
    const client = new Client({ WebSocket: TestWebSocket, token: 't', backoff: { baseMs: 20, maxMs: 100 },
                                connectTimeoutMs: 3000, replyTimeoutMs: 3000, sendTimeoutMs: 3000, ackDelayMs: 5,
                                ...options });
    t.after(() => client.close());
    return client;
}

/** The next event NAME. */
export const next = (client, name) => new Promise((resolve) => client.once(name, resolve));

export async function until(condition, what, ms = 5000) {
    for (const end = Date.now() + ms; !condition();) {
        if (Date.now() > end)
            throw new Error(`waited ${ms} ms in vain for ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 2));
    }
}
