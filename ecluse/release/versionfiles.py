"""Files that say the version themselves, such as ``pyproject.toml`` or a package's ``__init__.py``."""

from __future__ import annotations

import re

from ecluse.errors import Invalid

_LINE = re.compile(
    r"""^(?P<before>(?:version|__version__)[ \t]*(?::[ \t]*\w+[ \t]*)?=[ \t]*(?P<quote>["'])|[ \t]*"version"[ \t]*:[ \t]*")"""
    r"""(?P<number>[^"']*)(?P<after>["'].*)$""",
    re.M,
)


def has_one(text: str) -> bool:
    """Whether a line of ``text`` says a version."""
    return _LINE.search(text) is not None


def with_version(text: str, number: str, path: str) -> str:
    """``text`` with ``number`` in its first line that says a version. Raises :class:`Invalid` when it has none."""
    if not has_one(text):
        raise Invalid(
            "version.no_line",
            f'{path} has no line such as version = "1.2.3", __version__ = "1.2.3" or "version": "1.2.3".',
            "take it out of versions= in the playbook, or write such a line",
        )
    return _LINE.sub(lambda found: f"{found['before']}{number}{found['after']}", text, count=1)
