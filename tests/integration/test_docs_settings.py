"""What the documents show of configuration files, a daemon takes."""
import os
import re
import subprocess

import pytest

from cluster import BUILD, ROOT

DAEMONS = ("comet", "logic", "router", "job")


def blocks():
    """(place, lines) of each indented block with a [section]."""
    for path in sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")]):
        lines, begin = [], 0
        for number, line in enumerate([*path.read_text(encoding="utf-8").splitlines(), "end"], 1):
            if line.startswith("    ") or (not line and lines):
                begin = begin if lines else number
                lines.append(line[4:])
                continue
            if any(re.fullmatch(r"\[[a-z]+\]", one) for one in lines):
                yield f"{path.name}:{begin}", lines
            lines = []


def files_of(lines):
    """The same lines, in files: a comment such as "# comet.ini" begins one. {daemon: lines}, daemon None: any."""
    found, daemon = {}, None
    for line in lines:
        named = re.match(r"# (\w+)\.ini\b", line)
        if named:
            daemon = named[1]
        found.setdefault(daemon, []).append(line)
    return {daemon: lines for daemon, lines in found.items() if any(lines)}


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    """Files for whatever a block names."""
    folder = tmp_path_factory.mktemp("pki")
    subprocess.run([ROOT / "scripts/make-certs", folder], check=True, capture_output=True)
    (folder / "rpc.key").write_text("k" * 40, encoding="ascii")
    (folder / "keys").write_text(f"ours read sha256:{'0' * 64}\n", encoding="ascii")
    return {"certificate": folder / "server.pem", "key": folder / "server-key.pem", "ca": folder / "ca.pem",
            "key_file": folder / "rpc.key", "keys_file": folder / "keys"}


def check(daemon, text, tmp_path):
    path = tmp_path / f"{daemon}.ini"
    path.write_text(text, encoding="utf-8")
    env = {name: value for name, value in os.environ.items() if not name.startswith("IMC_")}
    done = subprocess.run([BUILD / daemon / f"imc-{daemon}", "-c", path, "--check"], env=env, capture_output=True, text=True,
                          timeout=30, check=False)
    return "" if done.returncode == 0 else done.stderr


def with_files(lines, pki):
    """LINES with files that are there, and with properties of librdkafka where a block only speaks of them."""
    lines = [line.replace("PROPERTIES", "security.protocol=ssl") for line in lines]
    return "\n".join(re.sub(r"^(\w+) = /.*", lambda m: f"{m[1]} = {pki[m[1]]}" if m[1] in pki else m[0], line) for line in lines)


CASES = [(place, daemon, lines) for place, block in blocks() for daemon, lines in files_of(block).items()]


def test_there_are_some():
    assert len(CASES) >= 10


@pytest.mark.parametrize("place, daemon, lines", CASES, ids=[f"{place}-{daemon}" for place, daemon, _ in CASES])
def test_a_daemon_takes_it(place, daemon, lines, pki, tmp_path):
    text = with_files(lines, pki)
    said = [check(one, text, tmp_path) for one in ([daemon] if daemon else DAEMONS)]
    assert "" in said, (place, text, said)
