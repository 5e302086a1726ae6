"""Which cluster imc asks, and with which key: options, environment, the file of contexts, TLS."""
import stat

import pytest

import certificates
from cli import Imc
from cluster import free_port


def write(path, text, mode=0o600):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.fixture
def home(tmp_path):
    """A home with contexts of the cluster strict, which wants keys."""
    write(tmp_path / ".config/imc/one.key", "key-one\n")
    return tmp_path


def contexts(home, text):
    write(home / ".config/imc/config", text, 0o644)
    return Imc(home=home)


def test_a_key_is_asked_for_and_shown(strict, home):
    url = f"http://127.0.0.1:{strict.logics[0].http}"
    imc = Imc(url=url, home=home)
    assert imc.fails(9, "cluster").startswith("imc cluster: 401 unauthorized: ")
    assert imc.fails(9, "cluster", IMC_KEY="wrong").startswith("imc cluster: 401 ")
    imc.ok("cluster", IMC_KEY="key-one")
    imc.ok("cluster", "--key-file", home / ".config/imc/one.key")
    imc.ok("cluster", IMC_KEY_FILE=str(home / ".config/imc/one.key"))


def test_contexts(strict, home):
    url = f"http://127.0.0.1:{strict.logics[0].http}"
    text = (f"context = here\n[here]\naddress = {url}\nkey_file = one.key\n"
            f"[away]\naddress = http://127.0.0.1:{free_port()}\n[default]\naddress = http://127.0.0.1:1\n")
    imc = contexts(home, text)
    imc.ok("cluster")
    imc.ok("cluster", "--context", "here", IMC_CONTEXT="away")
    imc.fails(3, "cluster", IMC_CONTEXT="away")
    imc.fails(3, "cluster", "--context", "away")
    imc.fails(3, "cluster", IMC_ADDRESS="http://127.0.0.1:1")
    imc.ok("cluster", "--address", url, "--context", "here", IMC_ADDRESS="http://127.0.0.1:1")
    assert "has no section [nowhere]" in imc.fails(2, "cluster", "--context", "nowhere")
    moved = home / "elsewhere"
    moved.write_text(text.replace("one.key", str(home / ".config/imc/one.key")))
    Imc(home="/nonexistent").ok("cluster", IMC_CONFIG=str(moved))


@pytest.mark.parametrize("text,words", [
    ("[default]\nadress = x\n", "adress: unknown; there are address, key_file"),
    ("[default]\nkey = secret\n", "key: a key is not kept here"),
    ("[default]\ninsecure = perhaps\n", "insecure: want yes or no"),
    ("[default]\nnonsense\n", "config:2: neither [section] nor key = value"),
    ("address = http://x\n", "before the first [section]"),
    ("[default]\naddress = ftp://x\n", "ftp://x: it begins neither with http://"),
    ("[default]\naddress = http://x/v1\n", "it has no path"),
    ("[default]\nca = ca.pem\n", "a CA is given, but http://127.0.0.1:7172 is not https"),
    ("[default]\nkey_file = none.key\n", "cannot read the key in"),
    ("[default]\naddress = http://192.0.2.1:7172\nkey_file = one.key\n", "whoever reads the network could read the key"),
])
def test_what_is_wrong_with_a_context(home, text, words):
    err = contexts(home, text).fails(2, "cluster")
    assert words in err and "secret" not in err, err


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_that_others_may_read_is_refused(strict, home, mode):
    key = write(home / "open.key", "key-one", mode)
    imc = Imc(strict.logics[0], home=home)
    assert f"(mode {mode:04o}): chmod 600 {key}" in imc.fails(2, "cluster", "--key-file", key)
    key.chmod(stat.S_IRUSR)
    imc.ok("cluster", "--key-file", key)


@pytest.mark.parametrize("text", ["", "two words", "two\nlines", "x" * 5000])
def test_what_is_no_key(strict, home, text):
    key = write(home / "bad.key", text)
    assert "key" in Imc(strict.logics[0], home=home).fails(2, "cluster", "--key-file", key)


def test_tls(make_cluster, tmp_path):
    ca = certificates.Authority(tmp_path)
    certificate = {f"IMC_LOGIC_{name}": value for name, value in ca.settings().items()}
    cluster = make_cluster(env={**certificate, "IMC_LOGIC_API_TLS": "yes", "IMC_LOGIC_API_KEYS": "key-one"})
    url = f"https://localhost:{cluster.logics[0].http}"
    imc = Imc(url=url, key="key-one")
    imc.ok("cluster", "--ca", ca.ca)
    imc.ok("cluster", IMC_CA=ca.ca)
    imc.ok("cluster", "--insecure")
    assert "TLS failed: " in imc.fails(3, "cluster")
    assert "no-ca.pem" in imc.fails(2, "cluster", "--ca", tmp_path / "no-ca.pem")
    plain = Imc(url=url.replace("https", "http"), key="key-one")
    assert "HTTP status 400" in plain.fails(4, "cluster")
