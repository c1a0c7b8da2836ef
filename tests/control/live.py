"""A real `openbond server` in a process of its own, on a free port of the loopback."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.databases import prepare_state

PASSWORD = "a-long-enough-one"
PATIENCE_SECONDS = 300


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@dataclass
class LiveServer:
    """Starts, kills and asks one server on one state directory."""

    state: Path
    port: int = field(default_factory=free_port)
    words: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    # A first start migrates for six seconds; where it is not the matter, a copy has its tables.
    is_blank: bool = False
    running: subprocess.Popen[str] | None = None

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "openbond.cli", "server", *words]

    def all_environment(self) -> dict[str, str]:
        ours = {"OPENBOND_ADMIN_PASSWORD": PASSWORD, "OPENBOND_STATE_DIR": str(self.state)}
        return {**os.environ, **ours, **self.environment}

    def start(self) -> None:
        """Start and wait until it answers over TLS that its own authority vouches for."""
        if not self.is_blank and not self.state.exists():
            prepare_state(self.state)
        where = ["--state", str(self.state), "--host", "127.0.0.1", "--port", str(self.port)]
        self.running = subprocess.Popen(
            self.command(*where, *self.words),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.all_environment(),
        )
        until = time.monotonic() + PATIENCE_SECONDS
        while not self._answers():
            if self.running.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"the server did not start:\n{self.output()}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return client.get("/node/v1/ca/").status_code == 200
        except (httpx.TransportError, FileNotFoundError):
            return False

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, verify=self.trust(), timeout=30, trust_env=False)

    def async_client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self.url, verify=self.trust(), timeout=30, trust_env=False
        )

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.state / "ca" / "ca.pem"))

    def threads(self) -> int:
        """How many threads it has now."""
        assert self.running
        return len(list(Path(f"/proc/{self.running.pid}/task").iterdir()))

    def output(self) -> str:
        """What it printed; ends it."""
        if self.running is None or self.running.stdout is None:
            return ""
        self.running.kill()
        return self.running.communicate()[0]

    def kill(self) -> None:
        """As a power cut would."""
        assert self.running
        self.running.send_signal(signal.SIGKILL)
        self.running.communicate()

    def terminate(self) -> float:
        """Ask it to stop; return the seconds it took."""
        assert self.running
        began = time.monotonic()
        self.running.terminate()
        self.running.communicate(timeout=PATIENCE_SECONDS)
        return time.monotonic() - began

    def populate(self, *words: str) -> dict[str, Any]:
        """Make or change objects from another process."""
        return self.run_beside("tests.control.populate", *words)

    def run_beside(self, module: str, *words: str) -> dict[str, Any]:
        """Run a module on the same state directory; return the JSON that it prints."""
        done = subprocess.run(
            [sys.executable, "-m", module, *words],
            capture_output=True,
            text=True,
            env=self.all_environment(),
            check=True,
        )
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def run(self, *words: str, fails: bool = False) -> str:
        """Run another command of the server on its state directory; return what it printed."""
        done = subprocess.run(
            self.command(*words, "--state", str(self.state)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.all_environment(),
            check=False,
            timeout=PATIENCE_SECONDS,
        )
        assert (done.returncode != 0) is fails, done.stdout
        return done.stdout

    def stop(self) -> None:
        if self.running is not None and self.running.poll() is None:
            self.running.kill()
            self.running.communicate()
