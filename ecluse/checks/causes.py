"""What kind of thing made a step fail: time, a test, syntax, permission, or the network.

The rules go from sure to likely, the first that fits decides: what the engine itself did, the exit status that GNU
``timeout`` has, a test report with failures written during the step, then the step's last lines, read from the end.
``docs/report.md`` lists them for readers. A failure that fits no rule has no cause: a guess would be worse.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ecluse.model import Cause, Result

_OUT_OF_TIME = re.compile(r"did not end within|has used up its time")
_TIMEOUT_STATUS = 124
_NOT_EXECUTABLE = 126

_TEST = re.compile(
    r"\b[1-9]\d* (?:tests? )?(?:failed|failing|failures?)\b|^FAILED\b|^FAIL\b|^--- FAIL:|^not ok \d|FAILURES!"
    r"|test result: FAILED|^Failed tests?:|^Tests:\s+[1-9]\d* failed|Failures?: [1-9]|failures=[1-9]|# fail [1-9]",
    re.IGNORECASE,
)
_SYNTAX = re.compile(
    r"\b(?:SyntaxError|IndentationError|TabError|ParserError|ScannerError)\b|syntax error\b|parse error\b"
    r"|unexpected end of file|unexpected EOF while looking|Unexpected token|invalid-syntax"
    r"|An expression was expected|^line \d+: (?:Unexpected|Unrecognized)",
    re.IGNORECASE,
)
_PERMISSION = re.compile(
    r"Permission denied|\bEACCES\b|\bEPERM\b|Operation not permitted|PermissionError|Read-only file system"
    r"|access is denied|may not be executed|\b403 Forbidden\b",
    re.IGNORECASE,
)
_NETWORK = re.compile(
    r"Could not resolve (?:host|proxy)|Name or service not known|Temporary failure in name resolution"
    r"|nodename nor servname|\bENOTFOUND\b|\bEAI_AGAIN\b|Connection (?:refused|reset|timed out|aborted)"
    r"|\bECONN(?:REFUSED|RESET|ABORTED)\b|\bETIMEDOUT\b|Network is unreachable|No route to host"
    r"|Failed to connect to|Could not connect to|Failed to establish a new connection|Max retries exceeded with url"
    r"|URLError|no such host|unable to access 'http|curl: \((?:5|6|7|28|35|52|55|56)\)",
    re.IGNORECASE,
)
_TIMED_OUT = re.compile(r"\bTimeoutError\b|Timeout >\d|timed out after|exceeded timeout|TimeoutExpired", re.IGNORECASE)

_BY_WORDS = (
    (_TEST, Cause.TEST),
    (_SYNTAX, Cause.SYNTAX),
    (_PERMISSION, Cause.PERMISSION),
    (_NETWORK, Cause.NETWORK),
    (_TIMED_OUT, Cause.TIMEOUT),
)


def cause_of(
    outcome: Result, reason: str, exit_code: int | None, tail: Sequence[str], *, tests_failed: bool
) -> Cause | None:
    """What made a step with this outcome fail; ``None`` for one that did not, or where no rule fits.

    ``tests_failed`` says that a test report with failures was written while the step ran.
    """
    if outcome not in (Result.FAILURE, Result.CANCELLED):
        return None
    if _OUT_OF_TIME.search(reason):
        return Cause.TIMEOUT
    if outcome is Result.CANCELLED:
        return None
    if exit_code == _TIMEOUT_STATUS:
        return Cause.TIMEOUT
    if tests_failed:
        return Cause.TEST
    said = [*tail, reason]
    # A summary of tests anywhere beats the words of one of them: a test of a network client prints "refused" too.
    if any(_TEST.search(line) for line in said):
        return Cause.TEST
    if exit_code == _NOT_EXECUTABLE:
        return Cause.PERMISSION
    for line in reversed(said):
        for rule, cause in _BY_WORDS:
            if rule.search(line):
                return cause
    return None
