"""What imc writes of itself and of the daemons: completion in real shells, man pages, documents, first configurations."""
import os
import re
import shutil
import subprocess

import pytest

from cli import BINARY, CLEAN, Imc
from cluster import BUILD, ROOT, SLOW, Cluster, wait_for

imc = Imc()


def commands():
    """All names, as help lists them."""
    return re.findall(r"^  ([a-z]+(?: [a-z]+)?)  ", imc.ok("--help"), re.M)


def test_every_command_has_help():
    assert len(commands()) > 25
    for command in commands():
        text = imc.ok(*command.split(), "--help")
        assert text.startswith(f"usage: imc {command} ") and max(map(len, text.splitlines())) <= 80, text
        assert imc.ok("help", *command.split()) == text
    assert "exit-codes" in imc.ok() and imc.ok("--version").startswith("imc ")
    codes = imc.ok("help", "exit-codes")
    assert [int(line.split()[0]) for line in codes.splitlines()] == list(range(10))


# --- completion ---

def complete_bash(*words):
    """What bash offers for the last of WORDS."""
    line = " ".join(words)
    script = f"""source <({BINARY} completion bash)
COMP_WORDS=({' '.join(f"'{word}'" for word in words)}); COMP_CWORD={len(words) - 1}; COMP_LINE='{line}'; COMP_POINT={len(line)}
_imc; printf '%s\\n' "${{COMPREPLY[@]}}" """
    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, check=True, timeout=30 * SLOW)
    assert done.stderr == ""
    return done.stdout.split()


ZSH = """
autoload -Uz compinit; compinit -u -d {dump}
source <({imc} completion zsh)
zstyle ':completion:*' list-colors ''
# What would be offered goes to a file, and nothing is shown.
compadd() {{
    if [[ ${{@[1,(i)(-|--)]}} == *-(O|A|D)\\ * ]]; then builtin compadd "$@"; return; fi
    local -a hits; builtin compadd -A hits "$@"; (( $#hits )) && print -rl -- $hits >>{out}
    builtin compadd "$@"
}}
zle -C try complete-word tried; tried() {{ _main_complete; compstate[insert]=; compstate[list]=; }}
bindkey '^I' try
"""


def complete_zsh(tmp_path, line):
    """What zsh offers at the end of LINE, typed on a pseudo terminal."""
    out = tmp_path / "offered"
    out.write_text("")
    (tmp_path / ".zshrc").write_text(ZSH.format(dump=tmp_path / "dump", imc=BINARY, out=out) + "PS1='ready> '\n")
    main, side = os.openpty()
    env = {**CLEAN, "ZDOTDIR": str(tmp_path), "TERM": "dumb", "PATH": f"{BINARY.parent}:{os.environ['PATH']}"}
    shell = subprocess.Popen(["zsh", "-i"], stdin=side, stdout=side, stderr=side, env=env, start_new_session=True)
    os.close(side)
    os.set_blocking(main, False)
    seen = b""

    def shows(what):
        nonlocal seen
        try:
            seen += os.read(main, 65536)
        except OSError:
            pass
        return what in seen
    try:
        wait_for(lambda: shows(b"ready> "), 20, lambda: f"zsh: {seen}")
        os.write(main, line.encode() + b"\t")
        wait_for(lambda: out.read_text() or shell.poll() is not None, 10, lambda: f"zsh to offer something: {seen}")
        return out.read_text().split()
    finally:
        shell.kill()
        shell.wait()
        os.close(main)


def test_bash_completes():
    assert {"kick", "push", "token", "--help"} <= set(complete_bash("imc", ""))
    assert complete_bash("imc", "unbl") == ["unblock"]
    assert complete_bash("imc", "token", "") == ["new", "revoke"]
    assert complete_bash("imc", "token", "r") == ["revoke"]
    assert complete_bash("imc", "token", "new", "1", "--ex") == ["--expire"]
    options = imc.ok("rooms", "--help").split("Options:\n")[1].split("\nFor example")[0]
    assert complete_bash("imc", "rooms", "--") == re.findall(r"^  (--[a-z-]+)", options, re.M)
    assert complete_bash("imc", "default", "r") == ["router"]
    assert complete_bash("imc", "kick", "--reason", "") == []
    assert "cluster.py" in complete_bash("imc", "check", "cluster")
    assert "cluster.py" in complete_bash("imc", "kick", "--ca", "cluster")
    assert complete_bash("imc-client", "--reco") == ["--reconnect"]
    assert "bench" in complete_bash("imc", "help", "b")


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not here")
@pytest.mark.parametrize("line,offered", [
    ("imc unbl", {"unblock"}), ("imc token ", {"new", "revoke"}), ("imc token new 1 --ex", {"--expire"}),
    ("imc default r", {"router"}), ("imc kick --sess", {"--session"}), ("imc-client --reco", {"--reconnect"}),
])
def test_zsh_completes(tmp_path, line, offered):
    assert offered <= set(complete_zsh(tmp_path, line))


# --- man ---

@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    directory = tmp_path_factory.mktemp("man")
    imc.ok("man", "--all", directory)
    return sorted(directory.iterdir())


def test_a_page_for_each_command(pages):
    assert {page.name for page in pages} == {"imc.1", *(f"imc-{name.replace(' ', '-')}.1" for name in commands())}


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="mandoc is not here")
def test_mandoc_has_nothing_to_say(pages):
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", *pages], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout


@pytest.mark.skipif(shutil.which("man") is None, reason="man is not here")
def test_man_shows_a_page(pages):
    for page in pages:
        done = subprocess.run(["man", "--warnings", "-l", str(page)], capture_output=True, text=True, check=True,
                              env={**CLEAN, "MANWIDTH": "80", "LC_ALL": "C.UTF-8", "MAN_KEEP_FORMATTING": ""})
        assert done.stderr == "", (page.name, done.stderr)
        if page.name == "imc-kick.1":
            assert "imc kick 1 --reason 'signed out'" in done.stdout


def test_cmake_installs(tmp_path):
    subprocess.run(["cmake", "--install", str(BUILD / "cli"), "--prefix", str(tmp_path)], check=True, capture_output=True)
    assert subprocess.run([tmp_path / "bin" / "imc-client", "--version"], capture_output=True, check=True).stdout
    for path in ("share/man/man1/imc-token-new.1", "share/bash-completion/completions/imc", "share/zsh/site-functions/_imc"):
        assert (tmp_path / path).read_text()


# --- settings ---

KINDS = ("comet", "logic", "router", "job")


@pytest.mark.parametrize("kind", KINDS)
def test_defaults_and_variables(kind, tmp_path):
    dumped = subprocess.run([BUILD / kind / f"imc-{kind}", "--dump-config"], env=CLEAN, capture_output=True, text=True,
                            check=True).stdout
    assert imc.ok("default", kind) == dumped
    variables = dict(line.split("=", 1) for line in imc.ok("env", kind).splitlines())
    assert len(variables) == len(re.findall(r"^[a-z_]+ = ", dumped, re.M))
    assert variables[f"IMC_{kind.upper()}_LEASE_TTL"] == "5s"
    # the daemon takes each of them
    path = tmp_path / f"{kind}.ini"
    path.write_text("")
    assert imc.ok("check", path, **variables) == "configuration ok\n"


def test_one_setting():
    assert imc.ok("default", "logic", "push.max_lag").startswith("[push]\n# ")
    assert "has no setting push.max" in imc.fails(7, "default", "logic", "push.max")
    assert "not teapot" in imc.fails(2, "default", "teapot")


def test_check_says_what_is_wrong(tmp_path):
    good, bad = tmp_path / "comet.ini", tmp_path / "my-job.ini"
    good.write_text("[log]\nlevel = debug\n")
    bad.write_text("[log]\nlevle = debug\n")
    assert imc.ok("check", good) == "configuration ok\n"
    code, out, err = imc.run("check", good, bad)
    assert (code, out) == (1, f"{good}: configuration ok\n{bad}: ") and "did you mean log.level?" in err
    other = tmp_path / "x.ini"
    other.write_text("")
    assert "of which daemon?" in imc.fails(2, "check", other)
    assert imc.ok("check", "--daemon", "router", other) == "configuration ok\n"


def test_a_first_file_has_the_defaults(tmp_path):
    for kind in KINDS:
        path = tmp_path / f"{kind}.ini"
        path.write_text(imc.ok("init", kind))
        dumped = subprocess.run([BUILD / kind / f"imc-{kind}", "-c", path, "--dump-config"], env=CLEAN, capture_output=True,
                                text=True, check=True).stdout
        assert dumped == imc.ok("default", kind)
        assert not re.search(r"^[a-z_]+ = ", path.read_text(), re.M)  # a default that changes later holds
    assert "is there already: nothing is written over" in imc.fails(1, "init", "comet", "--dir", tmp_path)


def test_a_first_cluster_runs_with_its_keys(bus, tmp_path):
    """Its files, with the ports and the bus of this machine."""
    directory = tmp_path / "imc"
    out = imc.ok("init", "cluster", "--dir", directory)
    assert f"imc-comet -c {directory}/comet.ini" in out
    assert {path.name for path in directory.iterdir()} == {
        "api.key", "api.keys", "admin.key", "admin.keys", "rpc.key", "imc.conf", *(f"{kind}.ini" for kind in KINDS)}
    secret = {"api.key", "api.keys", "admin.key", "admin.keys", "rpc.key"}
    assert all(((directory / name).stat().st_mode & 0o777) == 0o600 for name in secret)
    imc.ok("check", *(directory / f"{kind}.ini" for kind in KINDS))
    settings = {f"IMC_{kind.upper()}_{name}": str(directory / file) for kind in KINDS for name, file in
                (("RPC_KEY_FILE", "rpc.key"), ("ADMIN_KEYS_FILE", "admin.keys"))}
    cluster = Cluster(bus, env=settings | {"IMC_LOGIC_API_KEYS_FILE": str(directory / "api.keys")}).wait_ready()
    try:
        address = f"http://127.0.0.1:{cluster.logics[0].http}"
        configured = Imc()
        configured.ok("cluster", IMC_CONFIG=str(directory / "imc.conf"), IMC_ADDRESS=address)
        configured.fails(9, "cluster", IMC_ADDRESS=address)
    finally:
        cluster.stop()
    assert "is there already" in imc.fails(1, "init", "cluster", "--dir", directory)
    assert "--dir" in imc.fails(2, "init", "cluster")


# --- documents ---

def test_the_documents_are_there():
    listed = {line.split()[0] for line in imc.ok("doc").splitlines()}
    assert listed == {path.stem for path in (ROOT / "docs").glob("*.md")} | {"codes"}
    assert "SIGTERM ends one gently" in imc.ok("doc", "operations")


def test_every_close_code_is_explained():
    ops = (ROOT / "common/protocol/ops.h").read_text()
    codes = {int(code) for code in re.findall(r"CLOSE_[A-Z_]+ = (\d+)", ops)} - {0}
    table = imc.ok("doc", "codes").split("docs/protocol.md, Codes of operation 6\n")[1].split("\n\n")[0]
    assert {int(code) for code in re.findall(r"^  (\d+)$", table, re.M)} == codes


def test_every_problem_is_explained():
    table = imc.ok("doc", "codes").split("docs/http-api-v1.md, Problems\n")[1].split("\n\n")[0]
    kinds = re.findall(r'\{\d+, "[^"]+", "([a-z_]+)"\}', (ROOT / "logic/http/v1/problem.c").read_text())
    assert kinds and [kind for kind in kinds if not re.search(rf"\b{kind}\b", table)] == []


def test_an_alert_is_explained_whole():
    out = imc.ok("doc", "ImcDaemonDown")
    assert out.startswith("docs/operations.md, ImcDaemonDown\n") and "Means" in out and "Look at" in out and "Do" in out
    assert "ImcNotReady" not in out


@pytest.mark.parametrize("word,says", [
    ("push.max_lag", "IMC_LOGIC_PUSH_MAX_LAG"), ("IMC_LOGIC_PUSH_MAX_LAG", "push.max_lag"),
    ("imc_logic_refused_total", "labels: reason="), ("lag", "push.max_lag"), ("too_many_requests", "Retry-After"),
    ("resequencer", None),
])
def test_a_word_is_looked_up(word, says):
    if says is None:
        assert "no document says anything" in imc.fails(7, "doc", word)
    else:
        out = imc.ok("doc", word)
        assert says in out and "as above" not in out, out
