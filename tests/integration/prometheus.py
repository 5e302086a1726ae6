"""A Prometheus of a test's own, Debian's, that scrapes a cluster."""
import contextlib
import json
import shutil
import subprocess
import urllib.parse
import urllib.request

import pytest

from cluster import ROOT, SLOW, Process, free_port, wait_for

RULES = ROOT / "deploy" / "prometheus"


def need(program):
    if shutil.which(program) is None:
        pytest.skip(f"there is no {program} here: scripts/install-deps prometheus")


class Prometheus(Process):
    def __init__(self, cluster):
        self.port = free_port()
        targets = [{"targets": [f"127.0.0.1:{d.admin}"], "labels": {"daemon": d.kind}} for d in cluster.daemons()]
        config = {
            "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"},
            "rule_files": [str(RULES / name) for name in ("recording.yml", "alerts.yml")],
            "scrape_configs": [{"job_name": "imc", "static_configs": targets}],
        }
        path = cluster.directory / "prometheus.yml"
        path.write_text(json.dumps(config))  # JSON is YAML
        super().__init__("prometheus", [
            "prometheus", f"--config.file={path}", f"--storage.tsdb.path={cluster.directory / 'prometheus'}",
            f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"], {}, cluster.directory)

    def ask(self, path, **query):
        url = f"http://127.0.0.1:{self.port}{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=10 * SLOW) as answer:
            return json.load(answer)["data"]

    def values(self, expression):
        """Those that are numbers."""
        result = self.ask("/api/v1/query", query=expression)["result"]
        return [float(each["value"][1]) for each in result if each["value"][1] != "NaN"]

    def up(self):
        with contextlib.suppress(OSError):
            targets = self.ask("/api/v1/targets", state="active")["activeTargets"]
            return all(target["health"] == "up" for target in targets) and targets
        return False


@contextlib.contextmanager
def scraping(cluster):
    need("prometheus")
    prometheus = Prometheus(cluster)
    try:
        wait_for(prometheus.up, 20, lambda: f"Prometheus to scrape all daemons:\n{prometheus.log()[-3000:]}", 0.1)
        yield prometheus
    finally:
        prometheus.term()


def lint(page):
    """What `promtool check metrics` says of PAGE; "" is good."""
    done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True, timeout=30,
                          check=False)
    return "" if done.returncode == 0 and not done.stderr.strip() else done.stdout + done.stderr
