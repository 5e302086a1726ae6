// usage: node node.mjs     Orders are lines of JSON on stdin, what happens are lines on stdout: sdk.py.
// A WebSocket is the one that Node has, or else the one of sdk/js's own tests.
import { createInterface } from 'node:readline';
import * as imc from '../../../sdk/js/src/index.js';
import { TestWebSocket } from '../../../sdk/js/test/lib/websocket.js';
import { driver, plain } from './driver.mjs';

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const WebSocket = globalThis.WebSocket ?? TestWebSocket;
const run = driver(imc, (client, event, what) => say({ client, event, what }), { WebSocket });

say({ ready: { node: process.version, websocket: WebSocket === TestWebSocket ? 'test' : 'global' } });
createInterface({ input: process.stdin }).on('line', async (line) => {
    const { order, ...what } = JSON.parse(line);
    try {
        say({ order, result: (await run(what)) ?? null });
    } catch (error) {
        say({ order, failed: plain(error) });
    }
}).on('close', () => process.exit());
