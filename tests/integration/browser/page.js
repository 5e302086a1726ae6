// What the test says this page does (GET /orders, held back until there are some); what happens to its clients it tells
// the test (POST /events, in order). See browser.py.
import { Goim } from "./goim.js";
import { Imgo } from "./imgo.js";

const clients = new Map();
const untold = [];
let telling = false;

const toBase64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
const fromBase64 = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

async function tell(client, kind, what) {
    untold.push({ client, kind, what: what.body === undefined ? what : { ...what, body: toBase64(what.body) } });
    if (telling)
        return;
    telling = true;
    while (untold.length > 0)
        await fetch("/events", { method: "POST", body: JSON.stringify(untold.splice(0)) });
    telling = false;
}

const orders = {
    goim: (id, { url, auth, heartbeat }) => clients.set(id, new Goim(url, auth, heartbeat, tell.bind(null, id))),
    imgo: (id, { url, auth, heartbeat }) => clients.set(id, new Imgo(url, auth, heartbeat, tell.bind(null, id))),
    send: (id, { op, body }) => clients.get(id).send(op, fromBase64(body)),
    bytes: (id, { body }) => clients.get(id).bytes(fromBase64(body)),
    json: (id, { op, body }) => clients.get(id).send(op, body),
    close: (id) => clients.get(id).close(),
};

window.onerror = (message) => tell(0, "error", { message });
window.onunhandledrejection = (event) => tell(0, "error", { message: String(event.reason) });
tell(0, "ready", { agent: navigator.userAgent, origin: location.origin });
for (;;)
    for (const { order, client, ...what } of await (await fetch("/orders")).json())
        orders[order](client, what);
