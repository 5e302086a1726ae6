// Not run: tsc --strict reads it, so that the types say what README.md shows.
import { Client, ImcError, KickedError, type ClientOptions, type Message } from '../src/index.js';

const options: ClientOptions = {
    nodes: 'https://push.example/goim/nodes/weighted?platform=web',
    getToken: async ({ refused }: { refused: boolean }) => (refused ? 'new' : 'old'),
    rooms: ['news'],
    form: 'binary',
    ack: true,
};
const client = new Client(options);
const end: () => void = client.on('message', async (message: Message) => {
    const id: string | undefined = message.id;
    const text: string = message.text();
    void [id, text, message.json().anything, message.op satisfies number];
});
client.on('open', ({ url, acknowledged }) => void [url satisfies string, acknowledged satisfies boolean]);
client.on('close', ({ error, willRetry }) => {
    if (error instanceof KickedError && !willRetry)
        void (error.code satisfies number);
});
client.on('retry', ({ error, delayMs }) => void [error satisfies ImcError, delayMs satisfies number]);
client.on('count', (n) => void (n satisfies number));
client.once('error', (error: ImcError) => void error.fatal);
async function calls(): Promise<void> {
    await client.ready;
    await client.join('room');
    await client.leave('room');
    await client.renew();
    await client.renew('token');
    const answer: unknown = await client.send({ any: ['value'] }, { op: 1000 });
    void answer;
    client.close();
    client.connect();
    end();
}
void calls;
void new Client({ url: 'wss://push.example/sub', token: 't', WebSocket: class { constructor(readonly url: string) {} } });

// @ts-expect-error: there is no such event
client.on('messages', () => {});
// @ts-expect-error: there is no such form
void new Client({ url: 'wss://push.example/sub', token: 't', form: 'xml' });
// @ts-expect-error: a room is a string
void client.join(7);
