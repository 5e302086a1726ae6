"""Builds the programs of tests/goim, which are written in Go."""
import fcntl
import os
import shutil
import subprocess

import pytest

from cluster import BUILD, ROOT


def build(folder):
    """The program of tests/goim/FOLDER. Skips where there is no Go, or its modules cannot be had."""
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        pytest.skip(f"there is no Go (Debian: golang-go) to build tests/goim/{folder}")
    source, out = ROOT / "tests" / "goim" / folder, BUILD / "tests" / f"goim{folder}"
    env = {"HOME": "/tmp", **os.environ, "GOFLAGS": "-mod=readonly -trimpath", "GOTOOLCHAIN": "local",
           "CGO_ENABLED": "0"}
    with open(f"{out}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        got = subprocess.run([go, "mod", "download"], cwd=source, env=env, capture_output=True, text=True)
        if got.returncode != 0:
            pytest.skip(f"the modules of tests/goim/{folder} cannot be had: {got.stderr[-300:]}")
        subprocess.run([go, "build", "-o", out, "."], cwd=source, env=env, check=True)
    return out
