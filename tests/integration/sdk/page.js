// What the test does with this page (by the DevTools protocol): page(order) → promise; tell is a binding of the test's.
import * as imc from '/sdk/index.js';
import { driver, plain } from './driver.mjs';

const run = driver(imc, (client, event, what) => globalThis.tell(JSON.stringify({ client, event, what })));
globalThis.page = async (order) => {
    try {
        return { result: (await run(order)) ?? null };
    } catch (error) {
        return { failed: plain(error) };
    }
};
globalThis.onerror = (message) => globalThis.tell(JSON.stringify({ fault: String(message) }));
globalThis.onunhandledrejection = ({ reason }) => globalThis.tell(JSON.stringify({ fault: String(reason) }));
globalThis.tell(JSON.stringify({ ready: { node: navigator.userAgent, websocket: 'browser' } }));
