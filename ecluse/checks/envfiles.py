"""The files through which steps hand over variables, outputs, state and paths (``GITHUB_ENV`` and its kin)."""

from __future__ import annotations

from ecluse.errors import Invalid

BLOCKED = frozenset({"NODE_OPTIONS"})
"""Variables that ``GITHUB_ENV`` may not set, as on GitHub: they would change what every later action executes."""


class FileCommandProblem(Invalid):
    """A line of such a file that is neither ``name=value`` nor a complete ``name<<delimiter`` block."""

    def __init__(self, message: str) -> None:
        super().__init__("checks.file_command", message, "write name=value, or name<<EOF, the lines, and EOF alone")


def parse_pairs(data: bytes | str) -> dict[str, str]:
    """The names and values in the file, later ones winning. Raises :class:`FileCommandProblem`."""
    text = data.decode("utf-8-sig", "replace") if isinstance(data, bytes) else data.removeprefix("\ufeff")
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        line, _, at = _line(text, at)
        if not line:
            continue
        equals, block = line.find("="), line.find("<<")
        if equals >= 0 and (block < 0 or equals < block):
            name, value = line[:equals], line[equals + 1 :]
        elif block >= 0:
            name, delimiter = line[:block], line[block + 2 :]
            if not delimiter:
                raise FileCommandProblem(f"Invalid format '{line}'. Name and delimiter must not be empty")
            value, at = _block(text, at, delimiter)
        else:
            raise FileCommandProblem(f"Invalid format '{line}'")
        if not name:
            raise FileCommandProblem(f"Invalid format '{line}'. Name must not be empty")
        found[name] = value
    return found


def parse_lines(data: bytes) -> list[str]:
    """The lines of ``GITHUB_PATH`` that say something."""
    return [line for line in data.decode("utf-8-sig", "replace").splitlines() if line.strip()]


def _block(text: str, start: int, delimiter: str) -> tuple[str, int]:
    """The value between ``start`` and the line that is the delimiter, and where reading goes on."""
    at = end = start
    while True:
        if at >= len(text):
            raise FileCommandProblem(f"Invalid value. Matching delimiter not found '{delimiter}'")
        line, newline, following = _line(text, at)
        if line == delimiter:
            return text[start:end], following
        if not newline:
            raise FileCommandProblem("Invalid value. EOF marker missing new line.")
        end, at = following - len(newline), following


def _line(text: str, start: int) -> tuple[str, str, int]:
    """The line at ``start``, its line end, and where the next one begins."""
    end = start
    while end < len(text) and text[end] not in "\r\n":
        end += 1
    newline = "\r\n" if text.startswith("\r\n", end) else text[end : end + 1]
    return text[start:end], newline, end + len(newline)
