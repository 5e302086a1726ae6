"""Starts real daemons, a real Redis and a bus for tests, on free ports, in a directory of its own.

Binaries come from IMC_BUILD_DIR (default: build/). Ends only what it started, by pid. With IMC_TEST_KEEP set, logs and
data of clusters stay.
"""
import base64
import concurrent.futures
import contextlib
import ctypes
import fcntl
import http.client
import json
import os
import pathlib
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
KAFKA = ROOT / "scripts" / "kafka"
BUILD = pathlib.Path(os.environ.get("IMC_BUILD_DIR") or os.environ.get("IMC_BUILD") or ROOT / "build").resolve()


def _slowness():
    """By how much deadlines are stretched: sanitizer builds take longer. IMC_TEST_SLOW overrides."""
    if "IMC_TEST_SLOW" in os.environ:
        return float(os.environ["IMC_TEST_SLOW"])
    cache = BUILD / "CMakeCache.txt"
    sanitized = cache.exists() and re.search(r"^IMC_SANITIZE:\w+=.+", cache.read_text(), re.M)
    return 3.0 if sanitized else 1.0


SLOW = _slowness()
_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
# c-ares 1.18 loses the name of each look-up of "localhost", ten bytes.
os.environ.setdefault("LSAN_OPTIONS", f"suppressions={ROOT}/tests/integration/lsan.supp:print_suppressions=0")


def wait_for(condition, timeout=30.0, what="", every=0.02):
    end = time.monotonic() + timeout * SLOW
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            what = what() if callable(what) else what or condition
            raise AssertionError(f"waited {timeout * SLOW:.0f} s in vain for {what}")
        time.sleep(every)


_ports_given = set()
# Workers of one run share the range: between the probe here and the daemon's bind another one might take the port.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))


def free_port():
    """A port nobody listens on, not given twice; below the ephemeral range, so no client's source port takes it."""
    for _ in range(1000):
        port = random.randrange(20000 + _WORKER, 30000, _WORKERS)
        if port in _ports_given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _ports_given.add(port)
        return port
    raise RuntimeError("no free port")


def _end_with_me():
    """For preexec_fn: the child is killed when this process is, so that an interrupted run leaves nothing behind. The
    kernel means the thread that forked, so only the main thread, which lives longest, may ask for it."""
    if threading.current_thread() is not threading.main_thread():
        return None
    return lambda: _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """One program with its log; .kill9() .pause() .resume() .term() for fault tests."""

    def __init__(self, name, argv, env, directory):
        self.name = name
        self.argv = argv
        self.env = env
        self.log_path = directory / f"{name}.log"
        self.popen = None
        self.start()

    def start(self):
        self.asked = False
        self.paused = False
        with open(self.log_path, "ab") as log:
            self.popen = subprocess.Popen(self.argv, env={**os.environ, **self.env}, stdout=log, stderr=log,
                                          stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=_end_with_me())

    def alive(self):
        return self.popen.poll() is None

    def log(self):
        return self.log_path.read_text(errors="replace")

    def kill9(self):
        self.popen.kill()
        self.popen.wait()

    def pause(self):
        """Returns when no thread of it runs any more: until then it could still answer."""
        self.paused = True
        self.popen.send_signal(signal.SIGSTOP)
        how = os.WSTOPPED | os.WNOHANG | os.WNOWAIT
        wait_for(lambda: not self.alive() or os.waitid(os.P_PID, self.popen.pid, how) is not None, 5,
                 f"{self.name} to stand still", 0.001)

    def resume(self):
        self.paused = False
        self.popen.send_signal(signal.SIGCONT)

    def ask_to_end(self):
        """SIGTERM, once: a second one would cut the drain short."""
        if self.alive() and not self.asked:
            self.asked = True
            self.resume()
            self.popen.terminate()

    def term(self, timeout=15):
        """SIGTERM and the exit code."""
        self.ask_to_end()
        try:
            return self.popen.wait(timeout * SLOW)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise AssertionError(f"{self.name} did not end after SIGTERM:\n{self.log()[-3000:]}") from None


def http_connection(host, port, timeout, context=None):
    """By https if there is a CONTEXT."""
    if context is None:
        return http.client.HTTPConnection(host, port, timeout=timeout)
    return http.client.HTTPSConnection(host, port, timeout=timeout, context=context)


class Daemon(Process):
    admin_headers = {}  # with each request to admin pages
    context = None  # of TLS (admin.tls)

    def __init__(self, kind, number, env, directory, admin=None):
        self.kind = kind
        self.admin = admin or free_port()
        self.rpc = free_port() if kind != "job" else None
        prefix = f"IMC_{kind.upper()}"
        settings = {f"{prefix}_ADMIN_LISTEN": f"127.0.0.1:{self.admin}", f"{prefix}_LEASE_ID": f"{number}",
                    f"{prefix}_REDIS_SERVERS": env["REDIS"]}
        if self.rpc:
            settings[f"{prefix}_RPC_LISTEN"] = f"127.0.0.1:{self.rpc}"
        for key, value in env.items():
            if key.startswith(prefix + "_"):
                settings[key] = value
        self.id = str(number)
        binary = BUILD / kind / f"imc-{kind}"
        super().__init__(f"{kind}-{number}", [str(binary)], settings, directory)

    def get(self, path, timeout=5, method="GET", headers=None):
        """(status, text) of an admin page; (0, "") if it does not answer."""
        try:
            connection = http_connection("127.0.0.1", self.admin, timeout * SLOW, self.context)
            connection.request(method, path, headers={**self.admin_headers, **(headers or {})})
            response = connection.getresponse()
            return response.status, response.read().decode()
        except (OSError, http.client.HTTPException):
            return 0, ""

    def ready(self):
        assert self.alive(), f"{self.name} ended with {self.popen.returncode}:\n{self.log()[-3000:]}"
        return self.get("/readyz")[0] == 200

    def metrics(self):
        """{"name": value} and {'name{labels}': value}; sums over labels stand under the bare name."""
        values = {}
        for line in self.get("/metrics")[1].splitlines():
            if line.startswith("#") or not line.strip():
                continue
            name, value = line.rsplit(" ", 1)
            values[name] = float(value)
            bare = name.split("{")[0]
            if bare != name:
                values[bare] = values.get(bare, 0) + float(value)
        return values


class Api:
    """The business's side: logic's HTTP API, both faces. One keep-alive connection per thread."""
    context = None  # of TLS (api.tls)

    def __init__(self, port, key=None):
        self.port = port
        self.key = key
        self.local = threading.local()

    def request(self, method, path, body=None, headers=(), timeout=10):
        """(status, text, headers)"""
        connection = getattr(self.local, "connection", None)
        if connection is None or self._was_closed(connection):
            connection = self.local.connection = http_connection("127.0.0.1", self.port, timeout * SLOW, self.context)
        headers = dict(headers)
        if self.key and not {"Authorization", "X-API-Key"} & headers.keys():
            headers["Authorization"] = f"Bearer {self.key}"
        try:
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            return response.status, response.read().decode(), response.headers
        except (OSError, http.client.HTTPException):
            connection.close()
            self.local.connection = None
            raise

    @staticmethod
    def _was_closed(connection):
        """The logic behind a kept connection has been restarted."""
        if connection.sock is None:
            return False
        poll = select.poll()  # a test may have more descriptors than select() takes
        poll.register(connection.sock, select.POLLIN)
        return poll.poll(0)

    def call(self, method, path, body=None, headers=(), **query):
        """(status, answer)"""
        if query:
            path += "?" + urllib.parse.urlencode(query, doseq=True)
        if isinstance(body, str):
            body = body.encode()
        status, text, _ = self.request(method, path, body, headers)
        return status, json.loads(text)

    def ok(self, method, path, body=None, **query):
        status, answer = self.call(method, path, body, **query)
        assert status == 200 and answer["ret"] == 1, (status, answer)
        return answer

    def refused(self, ret, method, path, body=None, status=200, **query):
        """The words of an error in imgo's form."""
        got, answer = self.call(method, path, body, **query)
        assert (got, answer["ret"]) == (status, ret), (got, answer)
        assert answer.keys() == {"ret", "error"} and answer["error"], answer
        return answer["error"]

    def goim(self, method, path, body=None, **query):
        """`data` of an answer that goim's callers take for success; None if there is none."""
        status, answer = self.call(method, path, body, **query)
        assert status == 200 and answer["code"] == 0 and answer["message"] == "", (status, answer)
        assert answer.keys() <= {"code", "message", "data"}, answer
        return answer.get("data")

    def goim_refused(self, code, method, path, body=None, status=200, **query):
        """The words of an error in goim's form."""
        got, answer = self.call(method, path, body, **query)
        assert (got, answer["code"]) == (status, code), (got, answer)
        assert answer.keys() == {"code", "message"} and answer["message"], answer
        return answer["message"]

    def token(self, uid, token=None, **more):
        token = token or f"token-{uid}-{os.urandom(4).hex()}"
        self.ok("POST", "/1/admin/token/new", uid=uid, token=token, **more)
        return token

    def push(self, uid, body, **query):
        return self.ok("POST", "/1/push", body, uid=uid, **query)

    def pushs(self, uids, message):
        return self.ok("POST", "/1/pushs", json.dumps({"u": uids, "m": message}))

    def push_room(self, room, body, **query):
        return self.ok("POST", "/1/push/room", body, rid=room, **query)

    def push_all(self, body, **query):
        return self.ok("POST", "/1/push/all", body, **query)

    def counts(self, kind):
        """{room or server: sessions}"""
        field = {"room": "RoomId", "server": "Server"}[kind]
        return {row[field]: row["Count"] for row in self.ok("GET", "/1/count", type=kind)["data"]}

    def waiting(self, uid, token, **query):
        """The bodies that wait for UID, as imgo's store tells them."""
        status, answer = self.call("GET", "/1/msg/get", uid=uid, token=token, **query)
        assert status == 200 and answer["ret"] == 0, (status, answer)
        return [base64.b64decode(row["msg"]) for row in answer["data"]["msgs"]]

    def push_many(self, uid, n, pad=0, lanes=8):
        """N pushes to UID over several connections: bodies "LANE:NUMBER:xxx", in order within each lane."""
        def lane(number):
            for i in range(number, n, lanes):
                self.push(uid, f"{number}:{i}:" + "x" * pad)
        with concurrent.futures.ThreadPoolExecutor(lanes) as pool:
            list(pool.map(lane, range(lanes)))


class Bus:
    """A running bus that several clusters may share; each takes a topic of its own."""

    # The devbus has no controller: every topic that a cluster of this run may take exists from the start.
    DEVBUS_TOPICS = 32

    def __init__(self, kind, directory, properties=""):
        """PROPERTIES: more of them, for Kafka's server.properties."""
        self.kind = kind
        self.directory = directory
        self.properties = properties
        self.topics = 0
        self.process = None
        getattr(self, f"_start_{kind}")()

    def topic(self):
        """A topic that no other cluster uses."""
        self.topics += 1
        assert self.kind != "devbus" or self.topics <= self.DEVBUS_TOPICS, "raise DEVBUS_TOPICS"
        return f"imc-test-{self.topics}"

    def _start_devbus(self):
        path = self.directory / "devbus.bootstrap"
        topics = [arg for n in range(1, self.DEVBUS_TOPICS + 1) for arg in ("--topic", f"imc-test-{n}:4")]
        self.process = Process("devbus", [str(BUILD / "devbus" / "imc-devbus"), "--bootstrap-file", str(path), *topics],
                               {}, self.directory)
        wait_for(path.exists, 10, "the devbus's bootstrap file")
        self.brokers = path.read_text().strip()

    def _start_kafka(self):
        port, controller = free_port(), free_port()
        self.brokers = f"127.0.0.1:{port}"
        text = (KAFKA / "server.properties").read_text() + self.properties
        for name, value in (("PORT", port), ("CONTROLLER_PORT", controller)):
            text = text.replace(f"@{name}@", str(value))
        self.text, self.options = text, []
        self.options = self._class_archive()
        self.run_kafka("data")

    def _class_archive(self):
        """Java's option to take Kafka's classes from an archive, which the first one to come makes: a start costs 2 s of CPU
        then, not 3.3 s. An archive of another Java, or of other jars, is left aside by Java itself."""
        java = pathlib.Path(shutil.which("java")).resolve()
        archive = ROOT / "build-test" / f"kafka-{java.stat().st_mtime_ns}.jsa"
        archive.parent.mkdir(exist_ok=True)
        with open(archive.with_suffix(".lock"), "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not archive.exists():
                part = archive.with_suffix(".part")
                self.run_kafka("archived", f"-XX:ArchiveClassesAtExit={part}")
                self.process.term(60)
                if part.exists():
                    part.rename(archive)
        return [f"-XX:SharedArchiveFile={archive}"] if archive.exists() else []

    def run_kafka(self, data, *options):
        """With its data in DATA: there already, or a new cluster with an id of its own."""
        jars = subprocess.run([str(KAFKA / "fetch")], check=True, timeout=300, stdout=subprocess.PIPE,
                              text=True).stdout.strip()
        self.tools = ["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", *self.options, "-cp", f"{jars}/*"]
        properties = self.directory / f"{data}.properties"
        properties.write_text(self.text.replace("@DATA@", str(self.directory / data)))
        java = ["java", "-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", *self.options,
                f"-Dlog4j2.configurationFile={KAFKA / 'log4j2.properties'}", "-cp", f"{jars}/*"]
        if not (self.directory / data).exists():
            self._format(self.directory / data, [*java, "kafka.tools.StorageTool", "format", "--config", str(properties)])
        self.process = Process("kafka", [*java, *options, "kafka.Kafka", str(properties)], {}, self.directory)
        probe = [str(BUILD / "devbus" / "imc-devbus"), "--probe", self.brokers]
        wait_for(lambda: subprocess.run(probe, capture_output=True, check=False).returncode == 0, 60,
                 lambda: f"Kafka to answer:\n{self.process.log()[-3000:]}", 0.2)

    _formatted = None

    @classmethod
    def _format(cls, data, command):
        """Kafka's own program does it once in this process. It costs as much as half a Kafka's start, and what it writes
        differs in two ids only, which are made anew in a copy."""
        ids = {name: base64.b64encode(os.urandom(16), b"ab").decode()[:22] for name in ("cluster.id", "directory.id")}
        if cls._formatted is None:
            subprocess.run([*command, "--cluster-id", ids["cluster.id"]], check=True, timeout=60 * SLOW,
                           stdout=subprocess.DEVNULL)
            cls._formatted = {path.name: path.read_bytes() for path in data.iterdir()}
            return
        data.mkdir()
        for name, content in cls._formatted.items():
            (data / name).write_bytes(content)
        text = (data / "meta.properties").read_text()
        for name, value in ids.items():
            text, n = re.subn(rf"^{name}=.*$", f"{name}={value}", text, flags=re.M)
            assert n == 1, text
        (data / "meta.properties").write_text(text)

    def tool(self, name, *args, package="org.apache.kafka.tools"):
        """One of Kafka's own programs: tool("TopicCommand", "--create", …)."""
        return subprocess.run([*self.tools, f"{package}.{name}", "--bootstrap-server", self.brokers, *args],
                              check=True, timeout=60 * SLOW, capture_output=True, text=True).stdout

    def topic_tool(self, *args):
        """create TOPIC PARTITIONS, or delete TOPIC"""
        subprocess.run([str(BUILD / "tests" / "tools" / "bus_topic"), self.brokers, *map(str, args)], check=True, timeout=60)

    def pause(self):
        self.process.pause()

    def resume(self):
        self.process.resume()

    def stop(self):
        self.process.kill9()  # its data goes with the directory


@contextlib.contextmanager
def own_bus(kind, properties=""):
    """A Bus in a directory of its own, which goes with it."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="imc-bus-"))
    bus = Bus(kind, directory, properties)
    try:
        yield bus
    finally:
        bus.stop()
        shutil.rmtree(directory, ignore_errors=True)


class Cluster:
    """Redis, the bus and some of each daemon. ENV overrides settings, EACH those of one daemon: {"comet-2": {...}}. KEY is
    what .api sends, see api.keys. MEMBERS: they find each other by a list (members.static) and not by leases; what it holds
    is listed too, beside the daemons."""

    def __init__(self, bus, comets=1, logics=1, routers=1, jobs=1, env=None, key=None, members=None, redises=1,
                 each=None):
        self.bus = bus
        self.key = key
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="imc-test-"))
        self.extra = dict(env or {})
        self.each = each or {}
        self.topic = bus.topic()
        self.processes = []
        self.redis_port = free_port()
        self._start_redis()
        self.shards = [self.redis, *(self._redis_on(free_port(), f"redis-{n}") for n in range(2, redises + 1))]
        self.env = {"REDIS": ",".join(f"127.0.0.1:{redis.port}" for redis in self.shards)}
        for kind in ("LOGIC", "JOB"):
            self.env[f"IMC_{kind}_BUS_BROKERS"] = bus.brokers
            self.env[f"IMC_{kind}_BUS_TOPIC"] = self.topic
            self.env[f"IMC_{kind}_BUS_PARTITIONS"] = "4"
        self.env["IMC_JOB_BUS_GROUP"] = self.topic
        self.admins = {}
        if members is not None:
            self._list_members({"comet": comets, "logic": logics, "router": routers, "job": jobs}, members)
        self.env.update(self.extra)
        if bus.kind == "devbus":
            self.env["IMC_JOB_BUS_SESSION_TIMEOUT"] = "6s"  # it takes 3 s to put a group together
            self.env["IMC_JOB_BUS_FETCH_WAIT"] = "5ms"  # it keeps a fetch waiting although a message has come
        self.routers = [self._daemon("router", i + 1) for i in range(routers)]
        self.logics = [self.add_logic() for _ in range(logics)]
        self.jobs = [self._daemon("job", i + 1) for i in range(jobs)]
        self.comets = [self.add_comet() for _ in range(comets)]

    def _start_redis(self):
        self.redis = self._redis_on(self.redis_port, "redis")

    def _redis_on(self, port, name):
        directory = self.directory / name
        directory.mkdir()
        redis = Process(name, ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(directory),
                               "--appendonly", "yes", "--save", ""], {}, self.directory)
        redis.port = port
        self.processes.append(redis)
        return redis

    def _list_members(self, counts, more):
        """Admin ports are picked here, because everybody has to know them. Comets are listed by name."""
        self.admins = {(kind, n + 1): free_port() for kind, count in counts.items() for n in range(count)}
        hosts = {"comet": "localhost"}
        listed = [f"{hosts.get(kind, '127.0.0.1')}:{port}" for (kind, _), port in self.admins.items()]
        for kind in counts:
            self.env[f"IMC_{kind.upper()}_MEMBERS_STATIC"] = ",".join([*listed, *more])

    def _daemon(self, kind, number, **more):
        env = {**self.env, **self.each.get(f"{kind}-{number}", {}), **more}
        daemon = Daemon(kind, number, env, self.directory, self.admins.get((kind, number)))
        self.processes.append(daemon)
        return daemon

    def add_logic(self):
        port = free_port()
        number = sum(1 for p in self.processes if p.name.startswith("logic")) + 1
        daemon = self._daemon("logic", number, IMC_LOGIC_API_LISTEN=f"127.0.0.1:{port}")
        daemon.http = port
        daemon.api = Api(port, self.key)
        return daemon

    def add_comet(self, **more):
        tcp, ws = free_port(), free_port()
        number = sum(1 for p in self.processes if p.name.startswith("comet")) + 1
        daemon = self._daemon("comet", number, IMC_COMET_TCP_LISTEN=f"127.0.0.1:{tcp}",
                              IMC_COMET_WS_LISTEN=f"127.0.0.1:{ws}", **more)
        daemon.tcp = ("127.0.0.1", tcp)
        daemon.ws = ("127.0.0.1", ws)
        return daemon

    def add(self, kind):
        """One more of KIND, ready."""
        number = sum(1 for p in self.processes if p.name.startswith(kind)) + 1
        add = {"logic": self.add_logic, "comet": self.add_comet}.get(kind, lambda: self._daemon(kind, number))
        daemon = add()
        wait_for(daemon.ready, 20, lambda: f"{daemon.name} to be ready: {daemon.get('/readyz')}", 0.05)
        return daemon

    def living(self, kind):
        return [d for d in self.daemons() if d.kind == kind and d.alive()]

    def wait_ready(self, timeout=40):
        try:
            for daemon in self.daemons():
                wait_for(daemon.ready, timeout, lambda: f"{daemon.name} to be ready: {daemon.get('/readyz')}\n"
                         f"{daemon.log()[-3000:]}", 0.05)
        except BaseException as failure:
            try:
                self.stop()
            except AssertionError as more:
                raise failure from more
            raise
        return self

    def heal(self):
        """Everything that was ended or paused runs again and is ready."""
        for process in self.processes:
            if not process.alive():
                assert process.popen.returncode in (0, -signal.SIGKILL), f"{process.name} died:\n{process.log()[-3000:]}"
                process.start()
            elif process.paused:
                process.resume()
        return self.wait_ready()

    def daemons(self):
        return [p for p in self.processes if isinstance(p, Daemon)]

    @property
    def api(self):
        return self.logics[0].api

    def redis_cli(self, *args):
        """A Redis command's raw answer, by redis-cli."""
        return subprocess.run(["redis-cli", "-p", str(self.redis_port), *map(str, args)], capture_output=True,
                              text=True, timeout=10, check=True).stdout.strip()

    def mailbox(self, uid):
        """Number of messages that wait for UID."""
        # Asked often, and a process each time would cost more than all that is tested.
        with socket.create_connection(("127.0.0.1", self.redis_port), 10) as sock:
            sock.sendall(f"zcard imc:mb:{uid}\r\n".encode())
            answer = sock.makefile().readline()
        assert answer.startswith(":"), answer
        return int(answer[1:])

    def sum(self, kind, metric):
        return sum(d.metrics().get(metric, 0) for d in self.daemons() if d.kind == kind and d.alive())

    def settled(self, timeout=15):
        """Waits until nothing is on its way any more."""
        # In this order: between two looks, what was not read yet may be read and not be resolved yet.
        wait_for(lambda: self.sum("logic", "imc_logic_produced_total") <= self.sum("job", "imc_job_consumed_total") and
                 self.sum("job", "imc_job_parked_messages") == 0 and self.sum("job", "imc_job_unresolved") == 0, timeout,
                 "job to resolve what it consumed")

    def job_reads(self, timeout=20):
        """Waits until every partition is read, and has been for longer than a list of members is old."""
        wait_for(lambda: self.sum("job", "imc_job_partitions") == 4, timeout, "job to have the partitions")
        begin = time.monotonic()
        wait_for(lambda: time.monotonic() - begin > 1, what="every job to have seen the same comets")
        return self

    def stop(self):
        """Ends everything, gently first; complains about daemons that had died or ended badly."""
        died = [p for p in self.processes if isinstance(p, Daemon) and not p.alive() and p.popen.returncode not in
                (0, -signal.SIGKILL)]
        bad = []
        for kind in ("comet", "job", "logic", "router", "redis"):
            group = [p for p in self.processes if p.name.startswith(kind)]
            for process in group:
                process.ask_to_end()
            bad += [p for p in group if p.term(20) not in (0, -signal.SIGKILL) and p not in died and kind != "redis"]
        report = "\n".join(f"--- {p.name} ended with {p.popen.returncode}\n{p.log()[-4000:]}" for p in died + bad)
        if os.environ.get("IMC_TEST_KEEP"):
            print("kept:", self.directory)
        else:
            shutil.rmtree(self.directory, ignore_errors=True)
        assert not report, report
