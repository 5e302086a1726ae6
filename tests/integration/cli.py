"""Runs the program imc beside a cluster of cluster.py."""
import json
import os
import subprocess

from cluster import BUILD, SLOW

BINARY = BUILD / "cli" / "imc"
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("IMC_")}


class Imc:
    """imc(…) with the address of a logic. .run() gives (exit code, stdout, stderr)."""

    def __init__(self, logic=None, *, url=None, key=None, home="/nonexistent"):
        self.env = {**CLEAN, "HOME": str(home), "LC_ALL": "C.UTF-8"}
        self.env.pop("XDG_CONFIG_HOME", None)
        if url or logic:
            self.env["IMC_ADDRESS"] = url or f"http://127.0.0.1:{logic.http}"
        if key:
            self.env["IMC_KEY"] = key

    def run(self, *args, stdin="", timeout=30, **env):
        done = subprocess.run([str(BINARY), *map(str, args)], env={**self.env, **env}, input=stdin, text=True,
                              capture_output=True, timeout=timeout * SLOW, check=False)
        return done.returncode, done.stdout, done.stderr

    def ok(self, *args, **kwargs):
        """What it printed, and it ended well and without a word on stderr."""
        code, out, err = self.run(*args, **kwargs)
        assert (code, err) == (0, ""), (code, out, err)
        return out

    def json(self, *args, **kwargs):
        return json.loads(self.ok(*args, "--json", **kwargs))

    def fails(self, code, *args, **kwargs):
        """The words on stderr, one line that begins with the command."""
        got, out, err = self.run(*args, **kwargs)
        assert got == code, (got, out, err)
        assert err.startswith("imc") and err.endswith("\n"), err
        return err


def rows(text):
    """The cells of a table, a list a line, without the head."""
    return [line.split() for line in text.splitlines()[1:]]
