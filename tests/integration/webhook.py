"""The business's end of a webhook (docs/webhooks.md): an HTTP server that checks the signature of each post."""
import base64
import collections
import hashlib
import hmac
import json
import secrets
import time

import business

Post = collections.namedtuple("Post", "when id status events")


def key():
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def signed_by(secret, headers, body):
    """Is one of the signatures by SECRET, as Standard Webhooks has it?"""
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.new(base64.b64decode(secret.removeprefix("whsec_")), text, hashlib.sha256).digest()
    wanted = "v1," + base64.b64encode(digest).decode()
    return any(hmac.compare_digest(one, wanted) for one in headers["webhook-signature"].split(" "))


class Receiver(business.Server):
    """Answers each post by .answer(events), which gives a status, or (status, content, *headers). Keeps .posts; .wrong says
    what was wrong with any of them."""

    def __init__(self, secret, answer=lambda events: 204, port=0, context=None):
        self.secret, self.answer = secret, answer
        self.posts, self.wrong = [], []
        super().__init__(port, context)

    def url(self, path="/hook", host="127.0.0.1"):
        return super().url(path, host)

    def check(self, headers, body):
        if headers["content-type"] != "application/cloudevents-batch+json; charset=UTF-8":
            self.wrong.append(headers["content-type"])
        if not signed_by(self.secret, headers, body):
            self.wrong.append(f"signature {headers['webhook-signature']}")
        if abs(int(headers["webhook-timestamp"]) - time.time()) > 5:
            self.wrong.append(f"timestamp {headers['webhook-timestamp']}")

    def came(self, handler, body):
        headers = {name.lower(): value for name, value in handler.headers.items()}
        events = json.loads(body)
        with self.lock:
            self.check(headers, body)
        answer = self.answer(events)
        if not isinstance(answer, tuple):
            answer = (answer,)
        with self.lock:
            self.posts.append(Post(time.monotonic(), headers["webhook-id"], answer[0], events))
        self.reply(handler, *answer)

    def events(self, good=True):
        """What was taken: the events of posts that were answered 2xx, in order."""
        with self.lock:
            assert not self.wrong, self.wrong
            return [event for post in self.posts if not good or 200 <= post.status < 300 for event in post.events]

    def of_uid(self, uid):
        return [event for event in self.events() if event["subject"] == str(uid)]


def key_file(path, *keys):
    path.write_text("".join(one + "\n" for one in keys))
    path.chmod(0o600)
    return str(path)
