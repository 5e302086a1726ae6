"""Books that balance: whatever was accepted is delivered, waiting in a mailbox, or counted as expired or trimmed."""
from cluster import wait_for
from test_v1_push import push
from traffic import Traffic


class Books:
    """All counters of a cluster whose daemons have not been restarted, and what lies in its mailboxes."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.values = {}

    def read(self):
        self.values = {}
        for daemon in self.cluster.daemons():
            for name, value in daemon.metrics().items():
                self.values[name] = self.values.get(name, 0) + int(value)
        keys = [key for key in self.cluster.redis_cli("keys", "imc:mb:*").split() if key.count(":") == 2]
        self.values["mailboxes"] = sum(int(self.cluster.redis_cli("zcard", key)) for key in keys)
        return self

    def __getitem__(self, name):
        return self.values[name]

    def balance(self, left, right):
        """Waits until the sums of both lists of counters are the same."""
        def same():
            self.read()
            return sum(self[n] for n in left) == sum(self[n] for n in right)
        wait_for(same, 10, lambda: " ".join(f"{n}={self[n]}" for n in left) + "  to be  " +
                 " ".join(f"{n}={self[n]}" for n in right), 0.1)


def mixed_run(cluster, connect, uids):
    here, away, brief, slow, flapping = (uids(n) for n in (10, 5, 3, 1, 3))
    tokens = {uid: cluster.api.token(uid, room="books") for uid in (*here, *away, *brief, *slow, *flapping)}
    for uid in here:
        connect(cluster.comets[0], tokens[uid])
    reader = connect(cluster.comets[0], tokens[slow[0]], rcvbuf=4096)
    for _ in range(30):  # 10 of them beyond mailbox.limit
        cluster.api.pushs(away, "away")
    for uid in brief:
        cluster.api.push(uid, "brief", ttl=1)
        cluster.api.push(uid, "long")
        for n in range(3):  # the last one stays
            push(cluster, {"uids": [uid]}, n, collapse="books")
    cluster.api.push_many(slow[0], 800, 8192)
    cluster.api.push_room("books", '"room"')
    cluster.api.push_all('"all"')
    with Traffic([cluster.api], [*here, *flapping], every=0) as traffic:
        for i in range(6):
            for uid in flapping:
                client = connect(cluster.comets[0], tokens[uid])
                traffic.go_on(5)
                client.reset() if i % 2 else client.close()
    for uid in brief:
        wait_for(lambda: cluster.api.waiting(uid, tokens[uid]) == [b"long", b"2"], 5, "the brief one to expire", 0.1)
    connect(cluster.comets[0], tokens[away[0]]).pushes(20)
    try:
        while True:
            reader.push(1)
    except TimeoutError:
        pass


def test_the_books_balance(own_cluster, connect, uids):
    cluster = own_cluster()
    mixed_run(cluster, connect, uids)
    cluster.settled()
    books = Books(cluster).read()
    uid, room, everybody = ('{kind="%s"}' % kind for kind in ("uid", "room", "all"))
    for kind in (uid, room, everybody):
        assert books[f"imc_logic_accepted_total{kind}"] > 0
        books.balance([f"imc_logic_accepted_total{kind}"],
                      [f"imc_logic_produced_total{kind}", f"imc_logic_produce_failed_total{kind}"])
    books.balance(["imc_logic_produced_total"], ["imc_job_consumed_total"])
    books.balance(["imc_job_consumed_total"], ["imc_job_delivered_total", "imc_job_settled_total"])
    books.balance([f"imc_logic_produced_total{uid}"],
                  [f"imc_comet_deliveries_total{uid}", 'imc_comet_deliveries_total{kind="waiting"}', "mailboxes",
                   "imc_logic_expired_total", "imc_logic_trimmed_total", "imc_logic_replaced_total"])
    books.balance(["imc_logic_stored_total"],
                  ["imc_logic_confirmed_total", "imc_logic_expired_total", "imc_logic_trimmed_total",
                   "imc_logic_replaced_total", "mailboxes"])
    books.balance(['imc_logic_stored_total{by="spill"}'], ["imc_comet_spilled_total"])
    # Each of these had something to count, or the run proves little.
    for name in ("imc_logic_expired_total", "imc_logic_trimmed_total", "imc_logic_replaced_total",
                 "imc_comet_spilled_total", "mailboxes", "imc_comet_items_gone_total", "imc_job_settled_total",
                 f"imc_comet_deliveries_total{room}",
                 f"imc_comet_deliveries_total{everybody}"):
        assert books[name] > 0, name
    for name in ("imc_comet_queued_bytes", "imc_job_unresolved", "imc_logic_outstanding", "imc_logic_http_pending"):
        assert books[name] == 0, (name, books[name])
