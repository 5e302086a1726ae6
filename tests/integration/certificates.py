"""Certificates for tests, by scripts/make-certs."""
import os
import signal
import subprocess

from cluster import ROOT

KINDS = ("comet", "logic", "router", "job")


class Authority:
    """A private CA in DIRECTORY, with server.pem for this machine and client.pem."""

    def __init__(self, directory, *names):
        self.directory = directory
        self.run(*names)

    def run(self, *names, options=()):
        command = [str(ROOT / "scripts" / "make-certs"), *options, str(self.directory), *names]
        subprocess.run(command, check=True, timeout=60, stdout=subprocess.DEVNULL)

    def path(self, name):
        return str(self.directory / name)

    @property
    def ca(self):
        return self.path("ca.pem")

    def pair(self, name, stem, *options):
        """A certificate for NAME alone, in STEM.pem."""
        self.run(options=(*options, "--pair", f"{name}={stem}"))
        return stem

    def settings(self, stem="server", ca=None):
        """{"TLS_CERTIFICATE": …}: what a daemon needs to show STEM.pem."""
        return {"TLS_CERTIFICATE": self.path(f"{stem}.pem"), "TLS_KEY": self.path(f"{stem}-key.pem"), "TLS_CA": ca or self.ca}

    def renew(self):
        """server.pem and its key are new ones."""
        self.run(options=("--renew=keys",))


def for_all(**settings):
    """{"IMC_COMET_…": value} for every kind of daemon."""
    return {f"IMC_{kind.upper()}_{key}": value for kind in KINDS for key, value in settings.items()}


def restart(daemon, **settings):
    """DAEMON again, with other settings."""
    daemon.kill9()
    for key, value in settings.items():
        daemon.env[f"IMC_{daemon.kind.upper()}_{key}"] = value
    open(daemon.log_path, "w", encoding="ascii").close()  # pylint: disable=consider-using-with
    daemon.start()


def hang_up(daemon):
    os.kill(daemon.popen.pid, signal.SIGHUP)
