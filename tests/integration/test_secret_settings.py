"""What a daemon shows of its settings has no secret in it: --dump-config, /config, and refusals of a bad value."""
import re
import subprocess

import pytest

from cluster import BUILD

KINDS = ("comet", "logic", "router", "job")
SHOWN = {"tls.key", "redis.key", "tls.ticket_keys", "jwt.keys", "sessions.same_key"}  # names of files; a policy
SECRET = re.compile(r"(password|secret|keys|token|key)$")
FORMS = {"trace.otlp_headers": "authorization={}"}  # others take any text, or options of librdkafka


def run(kind, *args, **env):
    return subprocess.run([str(BUILD / kind / f"imc-{kind}"), *args], capture_output=True, text=True, env=env, check=False)


def settings(kind):
    """{name: what it accepts} of every setting."""
    return dict(re.findall(r"^\| `([a-z_.]+)` \| \S+ \| ([^|]+?) \|", run(kind, "--doc-config").stdout, re.M))


def variable(kind, name):
    return f"IMC_{kind}_{name.replace('.', '_')}".upper()


@pytest.mark.parametrize("kind", KINDS)
def test_every_text_that_is_called_a_secret_is_one(kind):
    found = {name: accepts for name, accepts in settings(kind).items() if SECRET.search(name)}
    assert "redis.password" in found
    texts = {name for name, accepts in found.items() if accepts.startswith(("a text", "a list"))}
    assert {name for name in texts if "(never shown)" not in found[name]} <= SHOWN


@pytest.mark.parametrize("kind", KINDS)
def test_no_secret_is_dumped_or_told_in_a_refusal(kind):
    for name, accepts in settings(kind).items():
        if "shown" not in accepts:
            continue
        value = FORMS.get(name, "sasl.password={}" if "name=value" in accepts else "{}").format("hush-hush")
        dump = run(kind, "--dump-config", **{variable(kind, name): value})
        assert dump.returncode == 0, dump.stderr
        assert "hush" not in dump.stdout + dump.stderr and "********" in dump.stdout, name
        refusal = run(kind, "--check", **{variable(kind, name): value + "\x01"})
        assert refusal.returncode == 1 and "********" in refusal.stderr, (name, refusal.stderr)
        assert "hush" not in refusal.stdout + refusal.stderr, name


def test_a_number_is_shown_whatever_its_name():
    assert re.search(r"^max_keys = 1234$", run("logic", "--dump-config", IMC_LOGIC_PUSH_MAX_KEYS="1234").stdout, re.M)
