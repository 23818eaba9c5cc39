"""Looks at a running service over HTTP: is it well, and do its answers hold what they must? Imports little."""

from __future__ import annotations

import json
from dataclasses import dataclass

from ecluse import http
from ecluse.errors import Failed

TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Seen:
    """One look: whether it is as it should be, the answer in a sentence, and its milliseconds where there was one."""

    well: bool
    said: str
    elapsed_ms: float = 0.0


def look_at_health(address: str, version: str) -> Seen:
    """Whether the health address answers 200 and, when it reports a version, this one."""
    try:
        answer = http.request(address, timeout_s=TIMEOUT_S)
    except Failed as problem:
        return Seen(False, problem.message)
    if answer.status != 200:
        return Seen(False, f"GET {address} answered {answer.status}: {_said(answer)}")
    reported = _version_in(answer.body)
    if version and reported and reported.removeprefix("v") != version:
        return Seen(False, f"GET {address} answered 200, but version {reported} instead of {version}")
    said = f", version {reported}" if reported else ""
    return Seen(True, f"GET {address} answered 200 in {answer.elapsed_ms:.0f} ms{said}", answer.elapsed_ms)


def look_at_answer(method: str, address: str, expect: int, contains: str, max_ms: float | None = None) -> Seen:
    """Whether one request is answered as a smoke test expects, and within ``max_ms`` milliseconds."""
    try:
        answer = http.request(address, method, timeout_s=TIMEOUT_S)
    except Failed as problem:
        return Seen(False, problem.message)
    if answer.status != expect:
        return Seen(False, f"{method} {address} answered {answer.status} instead of {expect}: {_said(answer)}")
    if contains and contains not in answer.text():
        return Seen(False, f"{method} {address} does not hold {contains!r}: {_short(answer.text())}")
    if max_ms is not None and answer.elapsed_ms > max_ms:
        return Seen(False, f"{method} {address} took {answer.elapsed_ms:.0f} ms, and {max_ms:g} ms are allowed")
    return Seen(True, f"{method} {address} answered {answer.status} in {answer.elapsed_ms:.0f} ms")


def _said(answer: http.Answer) -> str:
    """What an answer says; of one that sends elsewhere, where to: nobody follows it here."""
    elsewhere = answer.headers.get("location", "") if 300 <= answer.status < 400 else ""
    return f"it sends to {_short(elsewhere)}, which is not followed" if elsewhere else _short(answer.text())


def _version_in(body: bytes) -> str:
    try:
        document = json.loads(body)
    except ValueError:
        return ""
    reported = document.get("version") if isinstance(document, dict) else None
    return reported if isinstance(reported, str) else ""


def _short(text: str, cap: int = 200) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= cap else one_line[: cap - 1] + "…"
