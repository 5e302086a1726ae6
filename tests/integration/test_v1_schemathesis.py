"""Schemathesis makes calls of all kinds from /openapi.json, right and wrong, to a real cluster: what the document says
must hold. scripts/test installs it apart from the other tests' packages (schemathesis.txt)."""
import json
import os
import pathlib
import subprocess

import pytest

from cluster import SLOW, Api

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = ROOT / "build-schemathesis" / "bin"
KEY = "schemathesis-key"
SECONDS = 25
# Every check, but three. JSON Schema counts characters where our limits are bytes. Methods that are none of HTTP's get 400
# and not 405. A batch is answered item by item: a wrong push among its items is no wrong call. A drained comet would
# be missed by the calls after it. One worker: CPython 3.11 compiles patterns of two threads at a time into each other.
CONFIG = f"""
[auth.openapi.bearer]
bearer = "{KEY}"

[checks]
positive_data_acceptance.enabled = false
unsupported_method.enabled = false

[[operations]]
include-path = "/v1/batch"
[operations.checks]
negative_data_rejection.enabled = false
"""

pytestmark = pytest.mark.skipif(not (TOOLS / "st").exists(),
                                reason="no Schemathesis: scripts/test installs it where PyPI is reached")


@pytest.fixture(scope="module")
def keyed(bus):
    import cluster as cluster_module
    cluster = cluster_module.Cluster(bus, key=KEY, env={"IMC_LOGIC_API_KEYS": KEY}).wait_ready()
    yield cluster
    cluster.stop()


def test_the_document_is_openapi(keyed, tmp_path):
    document = tmp_path / "openapi.json"
    document.write_text(keyed.api.request("GET", "/openapi.json")[1])
    checked = subprocess.run([TOOLS / "openapi-spec-validator", document], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_calls_of_all_kinds(keyed, tmp_path):
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    url = f"http://127.0.0.1:{keyed.logics[0].http}"
    run = subprocess.run(
        [TOOLS / "st", "run", f"{url}/openapi.json", "--max-time", str(SECONDS), "--workers", "1",
         "--exclude-path", "/v1/comets/drain", "--seed", "7", "--continue-on-failure"],
        cwd=tmp_path, capture_output=True, text=True, timeout=180 * SLOW, check=False, env={**os.environ, "NO_COLOR": "1"})
    assert run.returncode == 0, run.stdout[-20000:] + run.stderr[-2000:]
    # The daemons have come through it.
    assert Api(keyed.logics[0].http, KEY).request("GET", "/v1/cluster")[0] == 200
    assert json.loads(keyed.api.request("GET", "/openapi.json")[1])["openapi"].startswith("3.1")
