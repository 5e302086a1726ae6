"""What `make up` starts is closed to other machines, but for the two ports that clients connect to."""
import os
import pathlib
import socket
import struct
import subprocess

import pytest

from cluster import BUILD, ROOT

OFFSET = 10000 + os.getpid() % 900  # all ports are below those that cluster.free_port gives
CLIENTS = {8080 + OFFSET, 8090 + OFFSET}


def listening():
    """{inode: (address, port)} of this machine's listening TCP sockets, and of its bound UDP sockets."""
    found = {}
    for table, state in (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")):
        path = pathlib.Path(f"/proc/net/{table}")
        for row in path.read_text().splitlines()[1:] if path.exists() else ():
            fields = row.split()
            if fields[3] != state:
                continue
            raw, port = fields[1].split(":")
            words = struct.pack(f"={len(raw) // 8}I", *(int(raw[i:i + 8], 16) for i in range(0, len(raw), 8)))
            address = socket.inet_ntop(socket.AF_INET if len(words) == 4 else socket.AF_INET6, words)
            found[fields[9]] = (address, int(port, 16))
    return found


def sockets_of(pid):
    """The inodes of the sockets of process PID."""
    inodes = set()
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            link = os.readlink(fd)
        except FileNotFoundError:
            continue
        if link.startswith("socket:["):
            inodes.add(link[8:-1])
    return inodes


def is_loopback(address):
    return address.startswith("127.") or address in ("::1", "::ffff:127.0.0.1")


@pytest.fixture
def up(tmp_path, request):
    """`make up` as a stranger runs it, in a directory and at ports of its own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("IMC_") and
             name not in ("LISTEN", "API_LISTEN")}
    run = tmp_path / "run"
    env = {**clean, "RUN_DIR": str(run), "BUILD_DIR": str(BUILD), "NO_BUILD": "1", "PORT_OFFSET": str(OFFSET),
           "BUS": request.config.getoption("--bus"), "READY_TIMEOUT": "120"}
    subprocess.run([ROOT / "scripts/up"], env=env, check=True, timeout=300, stdin=subprocess.DEVNULL)
    yield run
    subprocess.run([ROOT / "scripts/down"], env=env, check=True, timeout=120, stdin=subprocess.DEVNULL)


def test_nothing_but_client_ports_is_open(up):
    pids = {path.stem: int(path.read_text()) for path in up.glob("*.pid")}
    assert {"redis-1", "comet-1", "logic-1", "router-1", "job-1"} < pids.keys() and len(pids) == 6
    sockets = listening()
    held = {name: {sockets[inode] for inode in sockets_of(pid) if inode in sockets} for name, pid in pids.items()}
    assert all(held.values()), held  # each listens somewhere, so each was looked at
    open_ports = {(name, port) for name, found in held.items() for address, port in found if not is_loopback(address)}
    assert open_ports == {("comet-1", port) for port in CLIENTS}, held
