"""The books of events: what has to be true of all that the business was told, after whatever died in between."""
import collections

import events


class Books:
    """What was told of UIDS, each event once, in the order in which it came first."""

    def __init__(self, cluster, uids):
        wanted = {str(uid) for uid in uids}
        self.found = events.firsts(event for event in events.events(cluster) if event["subject"] in wanted)
        self.by_uid = collections.defaultdict(list)
        for event in self.found:
            self.by_uid[int(event["subject"])].append(event)

    def messages(self, uid, *kinds):
        return {int(event["data"]["message"]) for event in self.by_uid[uid] if events.kind(event) in kinds}

    def over(self, uid):
        return self.messages(uid, "delivered", "acknowledged", "expired")

    def open(self):
        return events.balance(self.found)[0]

    def in_rooms(self, uid):
        """{session: its rooms} of the open sessions of UID."""
        return {session: rooms for session, rooms in self._rooms(uid, []).items() if rooms is not None}

    def _rooms(self, uid, wrong):
        rooms = {}  # session: the rooms that it is in; None: it has ended
        for event in self.by_uid[uid]:
            kind, session, room = events.kind(event), event["data"].get("session"), event["data"].get("room")
            if event["source"] == "/imc/message":
                continue
            if kind == "connected":
                if session in rooms:
                    wrong.append(f"{session} is connected twice")
                rooms[session] = {room} - {None}
            elif rooms.get(session) is None:
                wrong.append(f"{kind} {room or ''} of {session}, which is not open")
            elif kind == "disconnected":
                rooms[session] = None
            elif (room in rooms[session]) == (kind == "joined"):
                wrong.append(f"{session} has {kind} {room}, and is in {rooms[session]}")
            else:
                rooms[session] ^= {room}
        return rooms

    def check_sessions(self, person):
        """Each begins once, moves between rooms, and ends once, in this order."""
        wrong = []
        self._rooms(person.uid, wrong)
        came = [event for event in self.by_uid[person.uid] if events.kind(event) == "connected" and
                "again" not in event["data"]]
        if len(came) < person.sessions:
            wrong.append(f"{person.sessions} sessions were let in, {len(came)} are told")
        return wrong

    def check_messages(self, person, accepted, unsure):
        """Each is over, and by what the client did."""
        uid = person.uid
        delivered, acknowledged, expired, stored = (self.messages(uid, kind) for kind in
                                                    ("delivered", "acknowledged", "expired", "stored"))
        wrong = [f"{id} ({accepted[id]}) is not over" for id in accepted.keys() - self.over(uid)]
        wrong += [f"{id} is stored, and not over" for id in stored - self.over(uid)]
        if len((self.over(uid) | stored) - accepted.keys()) > unsure:
            wrong.append(f"messages that nobody pushed: {self.over(uid) - accepted.keys()}, {unsure} unsure")
        if acknowledged - person.acked:
            wrong.append(f"{acknowledged - person.acked} told as acknowledged, which nobody has acknowledged")
        if person.kind == "acked":
            if delivered:
                wrong.append(f"{delivered} delivered to plain sessions, and there is none")
            lost = accepted.keys() - expired - person.got
            if lost:
                wrong.append(f"{lost} never came to a session")
        wrong += self._check_expired(uid, accepted)
        sessions = {event["data"]["session"] for event in self.by_uid[uid] if events.kind(event) == "connected"}
        wrong += [f"{event} of no session" for event in self.by_uid[uid] if event["source"] == "/imc/message" and
                  event["data"].get("session", next(iter(sessions), "")) not in sessions]
        return wrong

    def _check_expired(self, uid, accepted):
        for event in self.by_uid[uid]:
            pushed = accepted.get(int(event["data"].get("message", 0)))
            if events.kind(event) != "expired" or pushed is None:
                continue
            reason = event["data"]["reason"]
            if reason == "ttl" and "ttl" not in pushed or reason == "replaced" and "collapse" not in pushed:
                yield f"{event}, which was pushed with {pushed}"
