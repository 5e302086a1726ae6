"""The log in both forms, request ids, and a line for each refused call and each closed session, whose words are those of the
metrics and of `imc doc codes`."""
import contextlib
import json
import pathlib
import re
import signal
import socket
import time

import pytest

import goim
from certificates import restart
from cli import Imc
from cluster import Api, wait_for
from imgo import TcpClient, WsClient, ws_frame
from test_api_keys import new_key

ROOT = pathlib.Path(__file__).parents[2]
KINDS = ("comet", "logic", "router", "job")
HEAD = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (debug|info|warn|error) +(comet|logic|router|job) (.*)")
FIELD = re.compile(r'([a-z_.]+)=(?:"([^"]*)"|(\S*))')
REFUSED = ("reason", "status", "request_id", "method", "route", "key", "address", "why")
CLOSED = ("reason", "code", "uid", "key", "address", "transport", "wire", "lasted_ms")
NUMBERS = {"status", "code", "uid", "lasted_ms"}


class Logging:
    def __init__(self, cluster, form, keys):
        self.cluster = cluster
        self.form = form
        self.keys = keys

    def parse(self, line):
        """The fields of LINE, "msg" being all the words before the first one of a line of text."""
        if self.form == "json":
            return json.loads(line, object_pairs_hook=_no_name_twice)
        head = HEAD.fullmatch(line)
        assert head, line
        fields = dict(zip(("time", "level", "daemon"), head.groups()))
        fields["msg"] = re.split(r" [a-z_.]+=", head[4])[0]
        for name, quoted, bare in FIELD.findall(head[4]):
            fields[name] = quoted or bare
            if name in NUMBERS:
                fields[name] = int(fields[name])
        return fields

    def lines(self, daemon):
        text = daemon.log_path.read_bytes().decode()  # UTF-8, whatever clients sent
        return [self.parse(line) for line in text.split("\n")[:-1]]

    def quiet(self, daemon, msg):
        """Waits until there is room for a line: a place in the code writes ten a second."""
        def recent():
            times = [line["time"][:19] for line in self.lines(daemon)[-200:] if line["msg"] == msg]
            return [at for at in times if at == time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())]
        wait_for(lambda: len(recent()) < 5, 10, f"less of {msg}")

    def find(self, daemon, msg, **fields):
        """The only line of that kind."""
        def found():
            return [line for line in self.lines(daemon)
                    if line["msg"] == msg and all(line.get(name) == value for name, value in fields.items())]
        wait_for(found, 10, lambda: f"{msg} {fields} in {daemon.log()[-2000:]}")
        assert len(found()) == 1, found()
        return found()[0]


def _no_name_twice(pairs):
    assert len(dict(pairs)) == len(pairs), pairs
    return dict(pairs)


@pytest.fixture(scope="module", params=["text", "json"])
def logging(request, bus, tmp_path_factory):
    from cluster import Cluster  # one for each form

    keys = {scope: new_key("the-" + scope, scope) for scope in ("push", "read", "admin")}
    path = tmp_path_factory.mktemp("keys") / "keys"
    path.write_text("".join(f"{line}\n" for _, line in keys.values()))
    env = {f"IMC_{kind.upper()}_LOG_{name}": value for kind in KINDS
           for name, value in (("LEVEL", "debug"), ("FORMAT", request.param))}
    env.update({"IMC_LOGIC_API_KEYS_FILE": str(path), "IMC_LOGIC_API_PUSH_RATE": "100", "IMC_LOGIC_LATER_MAX": "1",
                "IMC_COMET_FANOUT_SENDQ": "64k"})
    cluster = Cluster(bus, env=env, key=keys["admin"][0]).wait_ready()
    yield Logging(cluster, request.param, {scope: key for scope, (key, _) in keys.items()})
    cluster.stop()


# --- the form ---

def test_every_line_of_every_daemon_has_the_form(logging, uid):
    cluster = logging.cluster
    hostile = b"\xff\"\\\x1b[31m\n2026-01-01T00:00:00.000Z error comet forged\xc3"
    with contextlib.suppress(OSError), TcpClient(cluster.comets[0].tcp) as client:
        client.send(7, hostile)
        client.wait_closed()
    with WsClient(cluster.comets[0].ws).auth(cluster.api.token(uid)):
        cluster.api.push(uid, "x")
    for daemon in cluster.daemons():
        lines = logging.lines(daemon)
        assert {"started"} <= {line["msg"] for line in lines}, daemon.name
        for line in lines:
            assert line["daemon"] == daemon.kind and line["level"] in ("debug", "info", "warn", "error"), line
            assert HEAD.match(f"{line['time']} {line['level']} {line['daemon']} x"), line
    started = logging.find(cluster.comets[0], "started")
    pid = cluster.comets[0].popen.pid
    assert started["pid"] == (pid if logging.form == "json" else str(pid))


def test_a_reload_changes_the_form(make_cluster, tmp_path):
    cluster = make_cluster()
    router, path = cluster.routers[0], tmp_path / "router.ini"
    path.write_text("[log]\nlevel = info\n")
    router.argv += ["-c", str(path)]
    restart(router)
    wait_for(router.ready, 20, "the router to be ready")
    path.write_text("[log]\nformat = json\n")
    assert 'log.format: "text" to "json": a reload changes it' in router.get("/changes")[1]
    assert 'log.format: "text" to "json": changed' in router.get("/reload", method="POST")[1]
    line = json.loads(router.log().splitlines()[-1])
    assert line["msg"] == "reloaded" and line["level"] == "info", line
    path.write_text("[log]\nformat = xml\n")
    router.popen.send_signal(signal.SIGHUP)
    wait_for(lambda: "want text or json" in router.log(), 10, "the refusal")
    lines = [json.loads(line) for line in router.log().splitlines() if line.startswith("{")]
    refused = next(line for line in lines if line["msg"] == "cannot reload")
    assert refused["what"] == "settings" and "log.format" in refused["err"], refused
    assert refused["detail"] == "what was loaded before stays in use"


# --- request ids ---

ODD = ["", " ", "a b", "x" * 129, "semi;colon", "quo\"te", "ümlaut"]


def test_each_answer_has_the_callers_request_id(logging):
    logic, router = logging.cluster.logics[0], logging.cluster.routers[0]
    for number, path in enumerate(("/1/count?type=room", "/goim/online/total", "/v1/cluster", "/no/such/path", "/console/",
                                   "/1/push")):  # the last one: another method
        for id_ in (f"mine-{number}:_./+=", "y" * 128):
            _, _, headers = logic.api.request("GET", path, headers={"X-Request-Id": id_})
            assert headers.get_all("X-Request-Id") == [id_], path
    for path in ("/metrics", "/healthz", "/no/such/page"):
        _, _, headers = Api(router.admin).request("GET", path, headers={"X-Request-Id": "mine"})
        assert headers.get_all("X-Request-Id") == ["mine"], path


def test_other_request_ids_are_replaced(logging):
    logic, made = logging.cluster.logics[0], set()
    for odd in [None, *ODD]:
        headers = {} if odd is None else {"X-Request-Id": odd.encode()}
        for path in ("/1/count?type=room", "/v1/cluster"):
            _, _, headers_back = logic.api.request("GET", path, headers=headers)
            ids = headers_back.get_all("X-Request-Id")
            assert len(ids) == 1 and re.fullmatch("[0-9a-f]{16}", ids[0]), (odd, ids)
            made.add(ids[0])
    assert len(made) == 2 * (len(ODD) + 1)
    with socket.create_connection(("127.0.0.1", logic.http), 10) as raw:  # no HTTP at all
        raw.sendall(b"nonsense\r\n\r\n")
        answer = raw.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 400") and re.search(rb"\r\nX-Request-Id: [0-9a-f]{16}\r\n", answer), answer


def test_the_audit_log_has_the_request_id(logging):
    logic, router = logging.cluster.logics[0], logging.cluster.routers[0]
    logic.api.request("POST", "/1/admin/token/new?uid=5&token=hush-5&expire=5", headers={"X-Request-Id": "audit-1"})
    line = logging.find(logic, "audit", request_id="audit-1")
    assert line["who"] == "the-admin" and line["why"] == "ok", line
    Api(router.admin).request("POST", "/reload", headers={"X-Request-Id": "audit-2"})
    assert logging.find(router, "audit", request_id="audit-2")["route"] == "/reload"


# --- refused calls ---

JSON = {"Content-Type": "application/json"}
PUSH = '{"to":{"uids":[1]},"body":1}'
LATER = json.dumps({"to": {"uids": [1]}, "body": 1, "deliver_at": int(time.time()) + 3600})
# reason, key, method, path, body, status, and a part of why
CALLS = [
    ("key", "hush-guess", "POST", "/1/push?uid=1", "x", 401, "key"),
    ("scope", "read", "POST", "/1/push?uid=1", "x", 403, "scope push"),
    ("parameter", "push", "POST", "/1/push?uid=hush", "x", 200, "uid"),
    ("parameter", "push", "POST", "/goim/push/room?operation=1&type=hush", "x", 200, "room"),
    ("parameter", "push", "POST", "/v1/push", '{"to":{"uids":["hush"]},"body":1}', 400, "/to/uids/0"),
    ("path", "push", "POST", "/hush", "x", 404, "no such path"),
    ("method", "push", "GET", "/1/push", None, 405, "POST it"),
    ("encoding", "push", "POST", "/v1/push", PUSH, 415, "content-type"),
    ("http", "push", "POST", "/1/push?uid=1", "x" * (17 << 20), 413, ""),
    ("later", "push", "POST", "/v1/push", LATER, 503, "later.max"),
    ("rate", "push", "POST", "/1/push?uid=1", "x", 429, "api.push_rate"),
]


def prepare(logging, reason):
    api = Api(logging.cluster.logics[0].http, logging.keys["push"])
    if reason == "later":
        api.request("POST", "/v1/push", LATER, JSON)
    if reason == "rate":
        api.request("POST", "/1/pushs", json.dumps({"u": list(range(1, 900)), "m": 1}))


@pytest.mark.parametrize("number", range(len(CALLS)), ids=[f"{call[0]}-{call[3]}" for call in CALLS])
def test_a_refused_call_is_a_line(logging, number):
    reason, key, method, path, body, status, why = CALLS[number]
    logic, id_ = logging.cluster.logics[0], f"call-{number}"
    prepare(logging, reason)
    row = f'imc_logic_refused_total{{reason="{reason}"}}'
    logging.quiet(logic, "call refused")
    before = logic.metrics()[row]
    headers = {"X-Request-Id": id_, **(JSON if path == "/v1/push" and reason != "encoding" else {})}
    api = Api(logic.http, logging.keys.get(key, key))
    if reason == "http":  # it is answered by its head
        with contextlib.suppress(OSError):
            api.request(method, path, body, headers)
    else:
        assert api.request(method, path, body, headers)[0] == status
    line = logging.find(logic, "call refused", request_id=id_)
    assert logic.metrics()[row] == before + 1
    assert line["level"] == "debug" and all(name in line for name in REFUSED), line
    route = "unknown" if reason == "path" else path.split("?")[0]
    name = {"hush-guess": "nobody"}.get(key, f"the-{key}")
    assert (line["reason"], line["status"], line["method"], line["route"], line["key"], line["address"]) == \
        (reason, status, method, route, name, "127.0.0.1"), line
    assert why in line["why"], line


def test_each_refused_push_of_a_batch_is_a_line(logging):
    logic = logging.cluster.logics[0]
    batch = [{"to": {"uids": [1]}, "body": 1}, {"to": {}, "body": 1}, {"to": {"uids": ["hush"]}, "body": 1}]
    logging.quiet(logic, "call refused")
    wait_for(lambda: logic.api.request("POST", "/v1/batch", json.dumps(batch), {**JSON, "X-Request-Id": "batch"})[0] == 200,
             10, "the batch to be taken")
    lines = [line for line in logging.lines(logic) if line.get("request_id") == "batch"]
    assert [(line["reason"], line["status"], line["route"]) for line in lines] == [("parameter", 400, "/v1/batch")] * 2


# --- closed sessions ---

def kick(cluster, uid):
    return lambda _: cluster.api.request("DELETE", f"/v1/sessions?uid={uid}")


ENDS = {
    "peer": ("peer", 0, lambda _cluster, _uid: lambda client: client.sock.close()),
    "kicked": ("kicked", 7, kick),
    "unknown": ("unknown_op", 13, lambda _cluster, _uid: lambda client: client.send(99)),
}


@pytest.mark.parametrize("end", ["peer", "kicked", "unknown"])
@pytest.mark.parametrize("transport,client_class", [("tcp", TcpClient), ("ws", WsClient)])
def test_a_closed_session_is_a_line(logging, uid, end, transport, client_class):
    cluster = logging.cluster
    comet = cluster.comets[0]
    reason, code, how = ENDS[end]
    client = client_class(getattr(comet, transport)).auth(cluster.api.token(uid))
    how(cluster, uid)(client)
    line = logging.find(comet, "session closed", uid=uid)
    assert line["level"] == "debug" and all(name in line for name in CLOSED), line
    assert (line["reason"], line["code"], line["key"], line["address"], line["transport"], line["wire"]) == \
        (reason, code, "", "127.0.0.1", transport, "imgo"), line
    assert 0 <= line["lasted_ms"] < 60_000
    client.close()


def test_a_goim_session_has_its_key(logging, uid):
    comet = logging.cluster.comets[0]
    with goim.TcpClient(comet.tcp) as client:
        client.auth(token=logging.cluster.api.token(uid), key="device-a")
    line = logging.find(comet, "session closed", uid=uid)
    assert (line["key"], line["wire"], line["reason"], line["code"]) == ("device-a", "goim", "peer", 0), line


def test_a_breach_of_websocket_is_ours(logging, uid):
    comet = logging.cluster.comets[0]
    client = WsClient(comet.ws).auth(logging.cluster.api.token(uid))
    client.sock.sendall(ws_frame(3, b"hush"))  # no such opcode
    line = logging.find(comet, "session closed", uid=uid)
    assert (line["reason"], line["code"]) == ("us", 0), line
    kicked = logging.find(comet, "kicked", uid=uid)
    assert (kicked["reason"], int(kicked["ws_code"])) == ("us", 1002), kicked
    client.close()


def test_a_stranger_is_no_session(logging):
    comet = logging.cluster.comets[0]
    with WsClient(comet.ws) as client:
        client.send_auth("hush-token")
        assert client.wait_closed()["code"] == 1
    line = logging.find(comet, "connection closed", reason="bad_token", transport="ws")
    assert (line["code"], line["address"]) == (1, "127.0.0.1"), line


# --- at the end: what is not in the log ---

def test_no_secret_is_logged(logging):
    shown = "".join(daemon.log() for daemon in logging.cluster.daemons())
    assert "hush" not in shown
    assert not any(key in shown for key in logging.keys.values())


def test_at_info_none_of_it_is_written(make_cluster, uid):
    cluster = make_cluster()
    with TcpClient(cluster.comets[0].tcp).auth(cluster.api.token(uid)):
        cluster.api.request("POST", "/1/push?uid=x", "x")
    wait_for(lambda: cluster.sum("comet", 'imc_comet_closed_total{by="peer"}') == 1, 10, "the session to be closed")
    shown = "".join(daemon.log() for daemon in cluster.daemons())
    assert "call refused" not in shown and "closed reason" not in shown and " debug " not in shown


# --- the words ---

def rows(source, metric, label="reason"):
    return set(re.findall(rf'"{metric}", "{label}=\\"(\w+)\\""', (ROOT / source).read_text()))


@pytest.mark.parametrize("heading,words", [
    ("Why calls are refused", rows("logic/base/metrics.h", "imc_logic_refused_total")),
    ("Why sessions end", rows("comet/base/metrics.h", "imc_comet_kicked_total")
     | rows("comet/base/metrics.h", "imc_comet_closed_total", "by")),
    ("Why connections are refused", rows("comet/base/metrics.h", "imc_comet_refused_total")),
])
def test_each_word_is_explained_and_no_other(heading, words):
    table = Imc().ok("doc", "codes").split(f"docs/codes.md, {heading}\n")[1].split("\n\n")[0]
    blocks = re.split(r"^  (?=\S)", table, flags=re.M)[1:]
    assert len(words) > 5 and {block.split("\n")[0] for block in blocks} == words
    for block in blocks:
        assert all(f"      {part}: " in block for part in ("means", "concerns", "what to do")), block


def test_the_codes_of_the_reasons_are_those_of_the_protocol():
    ops = (ROOT / "common/protocol/ops.h").read_text()
    codes = {name.lower(): code for name, code in re.findall(r"CLOSE_([A-Z_]+) = (\d+)", ops)}
    table = (ROOT / "docs/codes.md").read_text().split("## Why sessions end")[1].split("\n## ")[0]
    listed = dict(re.findall(r"^\| (\w+) \| (\d+) \|", table, re.M))
    assert listed == {name: code for name, code in codes.items() if name != "none"}
