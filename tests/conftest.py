"""Every test runs with a home, a git configuration and caches of its own; the real ones are never read or written."""

from __future__ import annotations

import getpass
import os
import random
import secrets
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import hypothesis
import pytest

from ecluse import http, process
from ecluse.git import Repository

process.pass_interrupts_on()  # whoever runs the tests in the background makes nothing deaf that they start

hypothesis.settings.register_profile("fixed", derandomize=True, print_blob=True, deadline=None)
hypothesis.settings.register_profile("wide", max_examples=2000, deadline=None)
hypothesis.settings.load_profile(os.environ.get("ECLUSE_HYPOTHESIS", "fixed"))
"""Generated cases are the same in every run; ECLUSE_HYPOTHESIS=wide looks for new ones."""

_GIT_KEEP = {"GIT_EXEC_PATH", "GIT_SSL_CAINFO"}


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh HOME and XDG folders, and no inherited GIT_* variables."""
    home = tmp_path_factory.mktemp("home")
    for name in [key for key in os.environ if key.startswith("GIT_") and key not in _GIT_KEEP]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / ".cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(home / ".state"))
    monkeypatch.setenv("ECLUSE_HOME", str(home / ".ecluse"))
    monkeypatch.setenv("ECLUSE_ACTIONS_URL", f"file://{home}/forge")
    monkeypatch.delenv("NO_COLOR", raising=False)
    (home / ".gitconfig").write_text(
        "[user]\n\tname = Test Person\n\temail = person@example.invalid\n[init]\n\tdefaultBranch = main\n"
    )
    return home


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    """A random source with a printed, fixed seed per test."""
    seed = int(os.environ.get("ECLUSE_TEST_SEED", "20251110"))
    print(f"seed {seed} for {request.node.name}")
    return random.Random(f"{seed}:{request.node.name}")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with reference data (conformance, hostile changes); tests that need it skip where it is absent."""
    named = os.environ.get("ECLUSE_SHARED")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared"
    if not (folder / "conformance").is_dir():
        pytest.skip("the reference data folder is absent (set ECLUSE_SHARED)")
    return folder


@pytest.fixture
def seal(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """Encrypts a text with a fresh passphrase by real GnuPG; gives the file and the file with the passphrase."""
    if shutil.which("gpg") is None or shutil.which("gpgconf") is None:
        pytest.skip("gpg is not on this machine")

    def make(text: str, *words: str) -> tuple[Path, Path]:
        path, key = tmp_path / "secrets.gpg", tmp_path / "passphrase"
        key.write_text(secrets.token_urlsafe(20) + "\n")
        home = tempfile.mkdtemp(prefix="gpg-")  # a short path: its agent's socket lies in it
        gpg = ["gpg", "--homedir", home, "--batch", "--quiet", "--yes", "--pinentry-mode", "loopback"]
        gpg += ["--passphrase-file", str(key), "--symmetric", "--cipher-algo", "AES256", *words, "-o", str(path)]
        try:
            subprocess.run(gpg, input=text.encode(), check=True)
        finally:
            subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False)
            shutil.rmtree(home, ignore_errors=True)
        return path, key

    return make


class Workbench:
    """A real repository with a checkout, and short words for what tests do to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main", ".")

    def git(self, *words: str, stdin: bytes | None = None) -> str:
        done = subprocess.run(["git", *words], cwd=self.folder, input=stdin, capture_output=True, check=True)
        return done.stdout.decode().strip()

    def write(self, path: str, text: str | bytes) -> Path:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode() if isinstance(text, str) else text)
        return target

    def commit(self, message: str, **files: str) -> str:
        for path, text in files.items():
            self.write(path.replace("__", "/").replace("_dot_", "."), text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    @property
    def repository(self) -> Repository:
        return Repository.discover(self.folder)


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    """A repository ``work`` with one commit on main that holds ``a.txt``."""
    made = Workbench(tmp_path / "work")
    made.commit("first", a_dot_txt="one\ntwo\nthree\n")
    return made


Say = Callable[[str, str, Message, bytes], tuple[int, bytes]]
"""What a server of a test answers: method, path, headers and body -> status and body."""


@pytest.fixture
def answering() -> Iterator[Callable[[Say], str]]:
    """Starts HTTP servers on loopback that answer as the test says; gives their address, and ends them afterwards."""
    started: list[ThreadingHTTPServer] = []

    def start(say: Say) -> str:
        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                size = int(self.headers.get("Content-Length", "0") or 0)
                status, data = say(self.command, self.path, self.headers, self.rfile.read(size))
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815 - the names are the standard library's

            def log_message(self, *words: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        started.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


class FarHost:
    """A real sshd on the loopback interface, run by the user who runs the tests, with keys of its own.

    ``name`` and ``config`` are what ``ssh -F config name`` takes; ``folder`` is a place on the "far" side.
    """

    name = "far"

    def __init__(self, folder: Path, program: str) -> None:
        self.folder = folder / "far"
        self.keys = folder / "ssh"
        self.config = self.keys / "config"
        self.program = program
        self.port = http.free_port()
        self.log = self.keys / "sshd.log"
        self.folder.mkdir(parents=True)
        self.keys.mkdir(mode=0o700)
        self._write()
        self.process = self.start()

    def _write(self) -> None:
        for name in ("host", "user"):
            words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(self.keys / name)]
            subprocess.run(words, check=True)
        (self.keys / "authorized").write_text((self.keys / "user.pub").read_text())
        public = (self.keys / "host.pub").read_text()
        (self.keys / "known").write_text(f"[127.0.0.1]:{self.port} {public}")
        (self.keys / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.keys / 'host'}\nPidFile none\n"
            f"AuthorizedKeysFile {self.keys / 'authorized'}\nUsePAM no\nStrictModes no\nPasswordAuthentication no\n"
            "KbdInteractiveAuthentication no\nPermitRootLogin yes\nPrintMotd no\nMaxStartups 100\n"
        )
        self.config.write_text(
            f"Host {self.name}\n HostName 127.0.0.1\n Port {self.port}\n User {getpass.getuser()}\n IdentitiesOnly yes\n"
            f" IdentityFile {self.keys / 'user'}\n UserKnownHostsFile {self.keys / 'known'}\n StrictHostKeyChecking yes\n"
        )

    def start(self) -> subprocess.Popen[bytes]:
        words = [self.program, "-D", "-E", str(self.log), "-f", str(self.keys / "sshd_config")]
        started = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return started
            if started.poll() is not None:
                break
            time.sleep(0.05)
        started.kill()
        pytest.skip(f"sshd did not start: {self.log.read_text() if self.log.exists() else 'it said nothing'}")

    def stop(self) -> None:
        """End the server; connections that are open end with it or by themselves."""
        self.process.terminate()
        self.process.wait(timeout=30)


@pytest.fixture
def far(tmp_path: Path) -> Iterator[FarHost]:
    """A host that ssh reaches; skipped where there is no sshd or it cannot be run."""
    program = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None or shutil.which("ssh") is None:
        pytest.skip("sshd or ssh is not on this machine (Debian: apt-get install openssh-server)")
    if os.getuid() == 0:  # sshd run as root insists on this empty folder, which its own service would make at boot
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    host = FarHost(tmp_path, program)
    yield host
    host.stop()
