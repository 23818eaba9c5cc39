"""What made a step fail, from words that real programs print."""

from __future__ import annotations

import pytest

from ecluse.checks.causes import cause_of
from ecluse.model import Cause, Result

SAID = {
    Cause.NETWORK: [
        "curl: (6) Could not resolve host: nowhere.invalid",
        "fatal: unable to access 'https://x.invalid/y.git/': Could not resolve host: x.invalid",
        "npm ERR! code ENOTFOUND",
        "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='x', port=443): Max retries exceeded with url: /",
        "ssh: connect to host 10.0.0.1 port 22: No route to host",
        "dial tcp: lookup proxy.invalid: no such host",
    ],
    Cause.PERMISSION: [
        "bash: ./deploy.sh: Permission denied",
        "mkdir: cannot create directory '/opt/x': Read-only file system",
        "Error: EACCES: permission denied, open '/etc/shadow'",
        "PermissionError: [Errno 13] Permission denied: '/root'",
        "chown: changing ownership of 'a': Operation not permitted",
    ],
    Cause.SYNTAX: [
        "SyntaxError: invalid syntax",
        "IndentationError: unexpected indent",
        "/tmp/1.sh: line 3: syntax error near unexpected token `fi'",
        "/tmp/1.sh: line 9: syntax error: unexpected end of file",
        "SyntaxError: Unexpected token '}'",
        "yaml.scanner.ScannerError: mapping values are not allowed here",
    ],
    Cause.TEST: [
        "=================== 2 failed, 10 passed in 0.12s ===================",
        "FAILED tests/test_a.py::test_b - assert 1 == 2",
        "--- FAIL: TestThing (0.00s)",
        "not ok 3 - adds",
        "test result: FAILED. 3 passed; 1 failed; 0 ignored",
        "Tests:       1 failed, 4 passed, 5 total",
        "FAILED (failures=1)",
        "# fail 1",
        "Tests run: 4, Failures: 1, Errors: 0, Skipped: 0",
    ],
    Cause.TIMEOUT: [
        "subprocess.TimeoutExpired: Command 'x' timed out after 3 seconds",
        "E   Failed: Timeout >1.0s",
    ],
}


@pytest.mark.parametrize(("cause", "line"), [(cause, line) for cause, lines in SAID.items() for line in lines])
def test_words_of_programs(cause: Cause, line: str) -> None:
    said = ["building", line, "##[error]Process completed with exit code 1."]
    assert cause_of(Result.FAILURE, "Process completed with exit code 1.", 1, said, tests_failed=False) is cause


@pytest.mark.parametrize(
    "line", ["0 failed, 12 passed", "12 passed in 1 s", "make: *** [all] Error 2", "not okay", "Failures: 0"]
)
def test_no_guess_is_made(line: str) -> None:
    assert cause_of(Result.FAILURE, "", 1, [line], tests_failed=False) is None


def test_what_is_sure_goes_first() -> None:
    refused = ["ConnectionRefusedError: Connection refused", "1 failed, 2 passed", "Permission denied"]
    assert cause_of(Result.FAILURE, "", 1, refused, tests_failed=False) is Cause.TEST
    assert cause_of(Result.FAILURE, "", 1, ["Connection refused"], tests_failed=True) is Cause.TEST
    over = "the step did not end within 1 min and was ended"
    assert cause_of(Result.FAILURE, over, None, refused, tests_failed=True) is Cause.TIMEOUT
    assert cause_of(Result.CANCELLED, "the job has used up its time", None, [], tests_failed=False) is Cause.TIMEOUT
    assert cause_of(Result.FAILURE, "", 124, [], tests_failed=True) is Cause.TIMEOUT
    assert cause_of(Result.FAILURE, "", 126, [], tests_failed=False) is Cause.PERMISSION
    assert cause_of(Result.CANCELLED, "cancelled", None, refused, tests_failed=True) is None
    assert cause_of(Result.SUCCESS, "", 0, refused, tests_failed=True) is None
