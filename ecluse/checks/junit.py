"""JUnit XML, as pytest, Surefire, Jest, Go and most others write it: cases with what they came to."""

from __future__ import annotations

from dataclasses import dataclass, field

from ecluse.checks.xmlread import walk

MESSAGE_CHARACTERS = 2000
NAME_CHARACTERS = 500
_BAD = {"failure": "failed", "error": "error"}
_AGAIN = frozenset({"flakyFailure", "flakyError"})


@dataclass(slots=True)
class Case:
    """One test case. ``result`` is passed, failed, error or skipped; ``is_flaky`` that it passed after failing."""

    name: str
    result: str = "passed"
    message: str = ""
    file: str = ""
    line: int = 0
    duration_ms: float = 0.0
    is_flaky: bool = False


@dataclass(slots=True)
class _Reader:
    cases: list[Case] = field(default_factory=list)
    now: Case | None = None
    notes: dict[str, str] = field(default_factory=dict)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "testcase":
            self.now = _case(attributes)
        elif self.now is not None and name in _BAD and self.now.result != "failed":
            self.now.result = _BAD[name]
            self.now.message = attributes.get("message", "")
        elif self.now is not None and name == "skipped" and self.now.result == "passed":
            self.now.result = "skipped"
        elif self.now is not None and name in _AGAIN:
            self.now.is_flaky = True

    def end(self, name: str, text: str) -> None:
        if self.now is None:
            return
        if name in _BAD and text.strip():
            said, whole = self.now.message.strip(), text.strip()
            self.now.message = said if said and len(said) > 20 else (f"{said}\n{whole}" if said else whole)
        elif name == "testcase":
            self.now.message = self.now.message[:MESSAGE_CHARACTERS]
            self.cases.append(self.now)
            self.now = None


def read(data: bytes) -> list[Case]:
    """The cases of a file, in its order. Raises :class:`ecluse.checks.xmlread.XmlRefused`."""
    reader = _Reader()
    walk(data, reader.start, reader.end)
    return reader.cases


def _case(attributes: dict[str, str]) -> Case:
    group, name = attributes.get("classname", ""), attributes.get("name", "")
    line = attributes.get("line", "")
    is_sentence = group == name and " " in name  # Jest says the whole sentence twice
    return Case(
        name=(f"{group}::{name}" if group and not is_sentence else name)[:NAME_CHARACTERS],
        file=attributes.get("file", "")[:NAME_CHARACTERS],
        line=int(line) if line.isdecimal() and len(line) < 8 else 0,
        duration_ms=_milliseconds(attributes.get("time", "")),
    )


def _milliseconds(seconds: str) -> float:
    """A time in seconds, as some write it with thousands separators; 0 for what is no number."""
    try:
        value = float(seconds.replace(",", ""))
    except ValueError:
        return 0.0
    return round(value * 1000, 3) if 0 <= value < 1e9 else 0.0
