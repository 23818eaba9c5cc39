"""What only POSIX has is used in named modules alone, each with another way where it is absent."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "ecluse"

MODULES = {"fcntl", "pwd", "grp", "resource", "termios", "tty", "pty", "posix", "syslog", "crypt", "spwd"}
OS = {
    "fork", "forkpty", "setsid", "getsid", "setpgid", "setpgrp", "getpgid", "getpgrp", "killpg", "kill", "getuid",
    "geteuid", "getgid", "getegid", "setuid", "setgid", "seteuid", "setegid", "setreuid", "setregid", "getgroups",
    "initgroups", "chown", "lchown", "fchown", "fchmod", "lchmod", "mkfifo", "mknod", "waitpid", "wait", "wait3", "wait4",
    "WNOHANG", "nice", "getloadavg", "uname", "chroot", "statvfs", "fstatvfs", "sync", "pipe2", "lockf", "ttyname",
    "ctermid", "openpty", "pread", "pwrite", "sendfile", "environb", "getenvb", "confstr", "sysconf", "pathconf",
    "getpriority", "setpriority", "O_NOFOLLOW", "O_DIRECTORY", "O_CLOEXEC", "O_NONBLOCK", "F_LOCK", "F_TLOCK",
}  # fmt: skip
SIGNALS = {"SIGKILL", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGCHLD", "SIGPIPE", "SIGALRM", "SIGSTOP", "SIGCONT",
           "alarm", "setitimer", "pthread_kill", "pthread_sigmask", "sigwait"}  # fmt: skip

ALLOWED: dict[str, tuple[set[str], str]] = {
    "process/ending.py": ({"os.kill", "os.killpg", "os.waitpid", "os.WNOHANG", "signal.SIGKILL"}, 'os.name == "nt"'),
    "process/running.py": ({"import resource"}, "except ImportError"),
    "files.py": ({"import fcntl", "os.lockf", "os.F_LOCK", "os.F_TLOCK"}, "_lock_windows"),
    "checks/background.py": ({"signal.SIGKILL"}, "hasattr"),
    "checks/placing.py": ({"import fcntl"}, "except ImportError"),
    "intake/portable/cloud-export.py": ({"import fcntl"}, "except (ImportError, OSError)"),
    "checks/place.py": ({"os.geteuid"}, 'os.name == "nt"'),
}
"""Module -> what of POSIX it may use, and the words by which its other way is seen."""


def uses(source: str) -> set[str]:
    """``import fcntl``, ``os.kill``, ``signal.SIGKILL``: what a module uses that Windows does not have."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {f"import {one.name}" for one in node.names if one.name.partition(".")[0] in MODULES}
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module.partition(".")[0] in MODULES:
                found.add(f"import {node.module}")
            of = {"os": OS, "signal": SIGNALS}.get(node.module, set())
            found |= {f"{node.module}.{one.name}" for one in node.names if one.name in of}
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.attr in {"os": OS, "signal": SIGNALS}.get(node.value.id, set()):
                found.add(f"{node.value.id}.{node.attr}")
        elif isinstance(node, ast.keyword) and node.arg in ("preexec_fn", "user", "group", "umask"):
            found.add(f"Popen {node.arg}") if node.arg == "preexec_fn" else None
    return found


def test_it_is_seen() -> None:
    source = "import pwd\nfrom os import fork\nimport os, signal\nos.killpg(1, signal.SIGKILL)\nPopen(preexec_fn=f)\n"
    assert uses(source) == {"import pwd", "os.fork", "os.killpg", "signal.SIGKILL", "Popen preexec_fn"}


def test_posix_is_used_in_named_modules_only() -> None:
    wrong = []
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        beyond = uses(path.read_text(encoding="utf-8")) - ALLOWED.get(name, (set(), ""))[0]
        wrong += [f"{name}: {one}" for one in sorted(beyond)]
    assert wrong == []


@pytest.mark.parametrize("name", [name for name in ALLOWED if (PACKAGE / name).exists()])
def test_a_named_module_has_another_way(name: str) -> None:
    source = (PACKAGE / name).read_text(encoding="utf-8")
    if uses(source):
        assert ALLOWED[name][1] in source


def test_without_fcntl_a_lock_still_keeps_others_out(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['fcntl'] = None\nfrom pathlib import Path\nfrom ecluse.files import FileLock\n"
        "lock = FileLock(Path(sys.argv[1]))\nprint(lock.acquire(), flush=True)\nsys.stdin.read()\n"
    )
    words = [sys.executable, "-c", program, str(tmp_path / "lock")]
    first = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert first.stdout is not None and first.stdout.readline() == "True\n"
        second = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
        assert second.stdout == "False\n"
    finally:
        first.kill()
        first.communicate()
    third = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    assert third.stdout == "True\n", "a death lets go"
