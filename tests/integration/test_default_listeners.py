"""Without a configuration only ports that ask who is there are open to other machines."""
import re
import subprocess

import pytest

from cluster import BUILD

OPEN = {"comet": {"tcp.listen", "ws.listen"}, "logic": set(), "router": set(), "job": set()}


def listeners(kind):
    """Every setting that is an address to listen on, with its default."""
    text = subprocess.run([str(BUILD / kind / f"imc-{kind}"), "--doc-config"], capture_output=True, text=True,
                          check=True).stdout
    rows = re.findall(r"^\| `([a-z_.]+)` \| (\S+) \| an address", text, re.M)
    return {name: default.strip("`") for name, default in rows}


@pytest.mark.parametrize("kind", OPEN)
def test_only_ports_that_ask_are_open(kind):
    found = listeners(kind)
    assert {"admin.listen", "rpc.listen"} <= found.keys()
    beyond = {name for name, default in found.items()
              if default not in ("empty", "") and not default.startswith("127.0.0.1:")}
    assert beyond == OPEN[kind]
