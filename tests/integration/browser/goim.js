// A browser's client of goim v2, written from docs/protocol.md alone. Frames are binary WebSocket messages, one each;
// pushes come in the body of operation 9, back to back. tell(kind, what) gets all that happens.
const HEADER = 16;
const OP = { heartbeat: 2, heartbeatReply: 3, disconnect: 6, auth: 7, authReply: 8, raw: 9 };

export class Goim {
    constructor(url, auth, heartbeatSeconds, tell) {
        this.tell = tell;
        this.seq = 0;
        this.socket = new WebSocket(url);
        this.socket.binaryType = "arraybuffer";
        this.socket.onopen = () => this.send(OP.auth, new TextEncoder().encode(JSON.stringify(auth)));
        this.socket.onmessage = (message) => this.take(message.data);
        this.socket.onclose = (event) => {
            clearInterval(this.timer);
            tell("close", { code: event.code, reason: event.reason, clean: event.wasClean });
        };
        this.heartbeatSeconds = heartbeatSeconds;
    }

    send(op, body) {
        const frame = new ArrayBuffer(HEADER + body.length), view = new DataView(frame);
        view.setInt32(0, frame.byteLength);
        view.setInt16(4, HEADER);
        view.setInt16(6, 1); // version
        view.setInt32(8, op);
        view.setInt32(12, ++this.seq);
        new Uint8Array(frame).set(body, HEADER);
        this.socket.send(frame);
    }

    bytes(data) {
        this.socket.send(data);
    }

    close() {
        this.socket.close(1000);
    }

    // The frames that lie back to back in DATA, from START on.
    *frames(data, start) {
        while (start < data.byteLength) {
            const view = new DataView(data, start), length = view.getInt32(0), header = view.getInt16(4);
            if (header < HEADER || length < header || start + length > data.byteLength)
                throw new Error(`a frame of ${length} bytes, header ${header}, at ${start} of ${data.byteLength}`);
            const body = new Uint8Array(data, start + header, length - header);
            yield { version: view.getInt16(6), op: view.getInt32(8), seq: view.getInt32(12), header, body };
            start += length;
        }
    }

    take(data) {
        if (!(data instanceof ArrayBuffer))
            throw new Error(`a text message: ${data}`);
        const all = [...this.frames(data, 0)];
        if (all.length !== 1)
            throw new Error(`${all.length} frames in a message`);
        const [frame] = all;
        if (frame.op === OP.raw)
            this.takeBatch([...this.frames(data, frame.header)]);
        else if (frame.op === OP.authReply)
            this.online(frame);
        else if (frame.op === OP.heartbeatReply)
            this.tell("online", { n: new DataView(data, frame.header).getInt32(0), bytes: frame.body.length });
        else if (frame.op === OP.disconnect)
            this.tell("disconnect", JSON.parse(new TextDecoder().decode(frame.body)));
        else
            this.tell("reply", { op: frame.op, seq: frame.seq, version: frame.version, body: frame.body });
    }

    takeBatch(pushes) {
        for (const push of pushes) {
            if (push.version !== 1 || push.seq !== 0)
                throw new Error(`a push of version ${push.version}, sequence ${push.seq}`);
            this.tell("push", { op: push.op, body: push.body, batch: pushes.length });
        }
    }

    online(reply) {
        this.tell("auth", { seq: reply.seq, version: reply.version, body: reply.body });
        const beat = () => this.send(OP.heartbeat, new Uint8Array(0));
        this.timer = setInterval(beat, this.heartbeatSeconds * 1000);
        beat();
    }
}
