"""The one starter of processes, on real processes."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ecluse import process
from ecluse.errors import Failed
from ecluse.files import FileLock, is_locked


def wait_for(condition, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_missing_program_is_said_with_what_to_do() -> None:
    with pytest.raises(Failed) as caught:
        process.run(["no-such-program-anywhere"])
    assert caught.value.code == "tool.missing"
    assert "install no-such-program-anywhere" in caught.value.hint


def test_failure_carries_command_status_and_output() -> None:
    with pytest.raises(process.CommandFailed) as caught:
        process.run(["sh", "-c", "echo out; echo why >&2; exit 3"])
    assert caught.value.completed.code == 3
    assert caught.value.completed.stdout == b"out\n"
    assert "why" in caught.value.message


def test_timeout_ends_the_whole_group(tmp_path: Path) -> None:
    for patience_s in (0.3, 3, 30):  # a busy machine may not have started it in less
        with pytest.raises(Failed) as caught:
            process.run(["sh", "-c", f"sleep 300 & echo $! > {tmp_path}/pid; wait"], timeout_s=patience_s)
        assert caught.value.code == "process.timeout"
        if (tmp_path / "pid").exists() and (said := (tmp_path / "pid").read_text()):
            break
    wait_for(lambda: not lives(int(said)))


@pytest.mark.skipif(os.name != "posix", reason="there are no such signals")
def test_what_is_cancelled_hears_an_interrupt_first_and_what_it_started_is_asked_to_end(tmp_path: Path) -> None:
    asked, lines = tmp_path / "asked", []
    child = f"trap 'echo asked > {asked}; exit' TERM; echo up; while :; do sleep 0.05; done"
    script = f"trap 'echo interrupted; exit 3' INT; (trap '' INT; {child}) & wait"
    with pytest.raises(InterruptedError):
        process.stream(["sh", "-c", script], lines.append, cancelled=lambda: "up" in lines)
    assert lines[:2] == ["up", "interrupted"]  # a shell may tell of its own sleep, too
    assert asked.read_text() == "asked\n"


@pytest.mark.skipif(os.name != "posix", reason="there are no such signals")
def test_who_was_started_deaf_to_interrupts_starts_nobody_deaf(tmp_path: Path) -> None:
    code = (
        "import signal, sys; from ecluse import process; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "process.pass_interrupts_on(); signal.raise_signal(signal.SIGINT)\n"
        "print(process.run([sys.executable, '-c', 'import signal; print(signal.getsignal(signal.SIGINT))']).stdout)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "default_int_handler" in done.stdout


def test_stream_gives_lines_joined_and_ends_what_is_left(tmp_path: Path) -> None:
    lines: list[str] = []
    code = process.stream(
        ["sh", "-c", f"echo a; echo b >&2; printf 'c\\r\\n'; sleep 300 & echo $! > {tmp_path}/pid; exit 4"],
        lines.append,
    )
    assert code == 4
    assert lines == ["a", "b", "c"]
    pid = int((tmp_path / "pid").read_text())
    wait_for(lambda: not lives(pid))


def test_what_a_command_says_last_is_heard_also_when_something_it_left_holds_its_output_open(tmp_path: Path) -> None:
    """The reader is slow here, as it is on a busy machine; what is left running says something now and then as well."""
    heard: list[str] = []
    left: list[int] = []
    script = (
        "i=0; while [ $i -lt 40 ]; do echo $i; i=$((i+1)); done; (while :; do echo left; sleep 0.2; done) & printf last"
    )

    def hear(line: str) -> None:
        time.sleep(0.01)
        heard.append(line)

    code = process.stream(["sh", "-c", script], hear, on_left=left.append)
    said = list(heard)
    try:
        assert code == 0 and len(left) == 1
        assert [line for line in said if line.isdecimal()] == [str(number) for number in range(40)]
        assert "last" in "".join(said)
    finally:
        process.end_group(left[0], grace_s=0)


def test_nothing_of_what_a_command_says_is_lost() -> None:
    for _ in range(5):
        heard: list[str] = []
        process.stream(["seq", "100000"], heard.append)
        assert heard == [str(number) for number in range(1, 100_001)]


def test_a_daemon_that_holds_the_output_open_holds_nobody_up(tmp_path: Path) -> None:
    if shutil.which("setsid") is None:
        pytest.skip("there is no setsid here")
    heard: list[str] = []
    script = f"setsid sh -c 'echo $$ > {tmp_path}/pid; exec sleep 300' & until test -s {tmp_path}/pid; do sleep 0.01; done; echo done"
    assert process.stream(["sh", "-c", script], heard.append) == 0
    pid = int((tmp_path / "pid").read_text())
    try:
        assert heard == ["done"] and lives(pid)
    finally:
        os.kill(pid, signal.SIGKILL)


def test_a_line_without_an_end_comes_in_pieces() -> None:
    lengths: list[int] = []
    process.stream(
        ["sh", "-c", "head -c 2500000 /dev/zero | tr '\\0' x; echo; echo y"], lambda line: lengths.append(len(line))
    )
    assert sum(lengths) == 2_500_001 and max(lengths) <= 1 << 20 and lengths[-1] == 1


def test_stream_timeout_and_cancel() -> None:
    with pytest.raises(TimeoutError):
        process.stream(["sleep", "300"], lambda _: None, timeout_s=0.2)
    started = time.monotonic()
    with pytest.raises(InterruptedError):
        process.stream(["sleep", "300"], lambda _: None, cancelled=lambda: time.monotonic() - started > 0.2)


def test_job_outlives_its_starter_and_leaves_its_status(tmp_path: Path) -> None:
    folder = tmp_path / "job"
    starter = (
        "import sys; from pathlib import Path; from ecluse import process;"
        "process.run_job(Path(sys.argv[1]), ['sh', '-c', 'echo hello; until test -e go; do sleep 0.02; done; exit 7'],"
        " cwd=Path(sys.argv[2])); import os; os.kill(os.getpid(), 9)"
    )
    died = subprocess.run([sys.executable, "-c", starter, str(folder), str(tmp_path)], check=False)
    assert died.returncode == -signal.SIGKILL
    assert process.job_status(folder).state is process.JobState.RUNNING
    (tmp_path / "go").touch()
    wait_for(lambda: process.job_status(folder).state is process.JobState.EXITED)
    assert process.job_status(folder).code == 7
    assert (folder / "output.log").read_text() == "hello\n"


def test_one_folder_is_one_start(tmp_path: Path) -> None:
    folder = tmp_path / "job"
    for _ in range(3):
        process.run_job(folder, ["sh", "-c", f"echo x >> {tmp_path}/count; sleep 0.3"])
    wait_for(lambda: process.job_status(folder).state is process.JobState.EXITED)
    process.run_job(folder, ["sh", "-c", f"echo x >> {tmp_path}/count"])
    assert (tmp_path / "count").read_text() == "x\n"


def test_killed_job_is_lost_only_when_job_and_host_are_gone(tmp_path: Path) -> None:
    folder = tmp_path / "job"
    process.run_job(folder, ["sleep", "300"])
    pid = process.job_pid(folder)
    assert pid is not None
    host = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    os.kill(host, signal.SIGKILL)
    wait_for(lambda: not lives(host))
    assert process.job_status(folder).state is process.JobState.RUNNING
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: process.job_status(folder).state is process.JobState.LOST)
    assert process.job_pid(folder) is None


def test_a_job_may_have_any_bytes_for_a_name(tmp_path: Path) -> None:
    program = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
    try:
        shutil.copy(shutil.which("sleep") or "/bin/sleep", program)
    except OSError:
        pytest.skip("this file system takes no such name")
    folder = tmp_path / "job"
    process.run_job(folder, [program, "300"])
    assert process.job_pid(folder) is not None
    process.cancel_job(folder)
    assert process.job_status(folder).code == -signal.SIGTERM


def test_cancel_ends_a_job_that_ignores_being_asked(tmp_path: Path) -> None:
    folder = tmp_path / "job"
    process.run_job(folder, ["sh", "-c", f"trap '' TERM; touch {tmp_path}/up; while :; do sleep 0.1; done"])
    wait_for(lambda: (tmp_path / "up").exists())
    process.cancel_job(folder, grace_s=0.3)
    assert process.job_status(folder).state is process.JobState.EXITED
    process.cancel_job(folder)


def test_job_of_a_missing_program_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "job"
    process.run_job(folder, ["no-such-program-anywhere"])
    wait_for(lambda: process.job_status(folder).state is process.JobState.EXITED)
    assert process.job_status(folder).code == 127
    assert "no-such-program-anywhere" in (folder / "output.log").read_text()


def test_job_that_cannot_be_started_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "job"
    (folder / "output.log").mkdir(parents=True)
    with pytest.raises(Failed) as caught:
        process.run_job(folder, ["true"])
    assert caught.value.code == "job.not_started"


def test_lock_is_released_by_death(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    code = "import sys, time; from pathlib import Path; from ecluse.files import FileLock; FileLock(Path(sys.argv[1])).acquire() and print('held', flush=True); x = input()"
    holder_code = code.replace(
        "FileLock(Path(sys.argv[1])).acquire()", "(keep := FileLock(Path(sys.argv[1]))).acquire()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", holder_code, str(lock)], stdout=subprocess.PIPE, stdin=subprocess.PIPE
    )
    assert holder.stdout is not None and holder.stdin is not None
    assert holder.stdout.readline() == b"held\n"
    assert is_locked(lock)
    assert not FileLock(lock).acquire()
    holder.kill()
    holder.wait()
    holder.stdout.close()
    holder.stdin.close()
    assert FileLock(lock).acquire()


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="the system cannot limit another process")
def test_a_process_is_held_to_its_limits() -> None:
    hungry = "import sys; sys.stdin.read(1); b = bytearray(200 << 20); print(len(b))"
    limits = process.Limits(memory_bytes=100 << 20, cpu_s=60)
    words = [sys.executable, "-c", hungry]
    refused = process.run(words, stdin=b"x", check=False, limits=limits)
    assert refused.code != 0
    assert b"MemoryError" in refused.stderr
    assert process.run(words, stdin=b"x").stdout.strip() == str(200 << 20).encode()


def test_what_a_command_prints_may_go_to_a_file(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w+b") as out:
        done = process.run([sys.executable, "-c", "print('x' * 10)"], stdout=out)
        out.seek(0)
        assert (done.stdout, out.read().strip()) == (b"", b"x" * 10)


def test_work_in_the_background_is_over_at_the_end_of_the_block() -> None:
    with process.background(lambda: process.run([sys.executable, "-c", "print(7)"]).stdout) as result:
        pass
    assert result().strip() == b"7"
    with pytest.raises(ZeroDivisionError), process.background(lambda: 1 // 0) as failed:
        failed()
