// A browser's client of imgo, written from docs/protocol.md alone: it sends an object a message, and gets arrays of
// objects. tell(kind, what) gets all that happens.
const OP = { heartbeat: 2, heartbeatReply: 3, push: 5, disconnect: 6, auth: 7, authReply: 8 };

export class Imgo {
    constructor(url, token, heartbeatSeconds, tell) {
        this.tell = tell;
        this.seq = 0;
        this.socket = new WebSocket(url);
        this.socket.onopen = () => this.send(OP.auth, token);
        this.socket.onmessage = (message) => this.take(JSON.parse(message.data));
        this.socket.onclose = (event) => {
            clearInterval(this.timer);
            tell("close", { code: event.code, reason: event.reason, clean: event.wasClean });
        };
        this.heartbeatSeconds = heartbeatSeconds;
    }

    send(op, body) {
        this.socket.send(JSON.stringify({ ver: 1, op, seq: ++this.seq, body }));
    }

    close() {
        this.socket.close(1000);
    }

    take(batch) {
        if (!Array.isArray(batch))
            throw new Error("not an array");
        for (const one of batch) {
            if (one.op === OP.push)
                this.tell("push", { op: one.op, json: one.body, batch: batch.length });
            else if (one.op === OP.authReply)
                this.online(one);
            else if (one.op === OP.heartbeatReply)
                this.tell("online", { json: one.body });
            else if (one.op === OP.disconnect)
                this.tell("disconnect", one.body);
            else
                this.tell("reply", { op: one.op, seq: one.seq, version: one.ver, json: one.body });
        }
    }

    online(reply) {
        this.tell("auth", { seq: reply.seq, version: reply.ver, json: reply.body });
        this.timer = setInterval(() => this.send(OP.heartbeat, {}), this.heartbeatSeconds * 1000);
        this.send(OP.heartbeat, {});
    }
}
