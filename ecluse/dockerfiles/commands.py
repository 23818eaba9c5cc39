"""What the commands of a RUN do: packages without versions, lists that stay, habits that break a build later."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence

Fault = tuple[str, str, str]
"""Rule, level, sentence."""

_BREAKS = frozenset({"&&", "||", ";", "|", "&", "\n", "(", ")", "{", "}", "then", "do", "else", "fi", "done", ";;"})
_BEFORE = frozenset({"sudo", "env", "exec", "time", "if", "while", "until", "!", "set", "command", "nice"})
_ASSIGNED = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*=")
_PIP = re.compile(r"^(?:.*/)?pip(?:3(?:\.\d+)?)?$")
_PYTHON = re.compile(r"^(?:.*/)?python(?:3(?:\.\d+)?)?$")
_PIP_VALUES = frozenset(
    [
        "-r",
        "--requirement",
        "-c",
        "--constraint",
        "-e",
        "--editable",
        "-t",
        "--target",
        "-i",
        "--index-url",
        "--extra-index-url",
        "-f",
        "--find-links",
        "--trusted-host",
        "--prefix",
        "--root",
        "--python-version",
        "--platform",
        "--proxy",
        "--timeout",
        "--cache-dir",
        "--abi",
        "--implementation",
        "--no-binary",
        "--only-binary",
        "--group",
        "--retries",
        "--log",
        "--src",
        "--cert",
        "--progress-bar",
    ]
)
_REDIRECTED = re.compile(r"(?<=\s)\d*[<>]{1,2}&(?:\d|-)|(?<=\s)&?\d*(?=[<>])")
_LOCAL = re.compile(r"^(?:\.|/|\$|~|(?:https?|file)://)|\.(?:whl|zip|tar\.gz|tgz)(?:\[|$)|\.txt$")
_APT_VALUES = frozenset({"-t", "--target-release", "-o", "-c", "--default-release"})


def split(script: str) -> list[list[str]]:
    """The commands of a shell's script, each as its words. What cannot be taken apart gives none."""
    script = _REDIRECTED.sub(" ", script)
    lexer = shlex.shlex(script, posix=True, punctuation_chars=";&|()<>\n")
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    lexer.commenters = ""
    found: list[list[str]] = [[]]
    skip = False
    try:
        for word in lexer:
            if skip or (word and not word.strip("<>")):
                skip = not skip  # where it goes to, or comes from, is no word of the command
            elif word in _BREAKS or (word and not word.strip(";&|()\n")):
                found.append([])
            else:
                found[-1].append(word)
    except ValueError:  # a quote without its end: a shell would not run it either
        return []
    return [words for one in found if (words := _plain(one))]


def _plain(words: list[str]) -> list[str]:
    """A command without what stands before it: assignments, sudo and the like."""
    at = 0
    while at < len(words) and (words[at] in _BEFORE - {"sudo"} or _ASSIGNED.match(words[at]) or words[at] == "sudo"):
        at += 1
    return words[at:]


def has_pipe(script: str) -> bool:
    """Whether a command's output goes into another one, in a shell that does not say ``pipefail`` itself."""
    if "pipefail" in script:
        return False
    lexer = shlex.shlex(script, posix=True, punctuation_chars=";&|()")
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        return any(word in ("|", "|&") for word in lexer)
    except ValueError:
        return False


def installs_a_list(script: str) -> bool:
    """Whether the dependencies that a project lists are installed."""
    for words in split(script):
        program, rest = words[0].rpartition("/")[2], words[1:]
        pip = _pip_install(words)
        if pip is not None and any(
            word in ("-r", "--requirement") or word.startswith("--requirement=") for word in pip
        ):
            return True
        if program == "npm" and rest[:1] and rest[0] in ("ci", "install", "i") and not _named(rest[1:]):
            return True
        if program in ("pnpm", "yarn", "poetry", "bundle") and "install" in rest[:1]:
            return True
        if program == "uv" and rest[:1] == ["sync"]:
            return True
    return False


def faults(script: str, *, mounts: Sequence[tuple[str, str]] = ()) -> Iterator[Fault]:
    """What is wrong with a RUN; ``mounts`` are its flags."""
    cached = any(name == "mount" and "type=cache" in value for name, value in mounts)
    found = split(script)
    if re.search(r"(?:^|[;&|(\n]\s*)sudo\s", script.strip()):
        yield "DL3004", "error", "sudo has no place in a build; use USER"
    for words in found:
        program = words[0].rpartition("/")[2]
        if program == "cd" and found[0] == words:
            yield "DL3003", "warning", "use WORKDIR to go to a folder"
        if program == "apt":
            yield "DL3027", "warning", "apt is for people at a terminal; use apt-get"
        if program == "apt-get":
            yield from _apt(words[1:])
        if program == "apk":
            yield from _apk(words[1:])
        if program == "npm" and words[1:2] and words[1] in ("install", "i", "add"):
            yield from _npm(words[2:])
        pip = _pip_install(words)
        if pip is not None:
            yield from _pip(pip, cached)
    if _installs(found, "apt-get") and not _lists_go(script) and not cached:
        yield "DL3009", "info", "delete the lists of packages in the same RUN: rm -rf /var/lib/apt/lists/*"


def _installs(found: list[list[str]], program: str) -> bool:
    return any(words[0].rpartition("/")[2] == program and "update" in words for words in found)


def _lists_go(script: str) -> bool:
    return re.search(r"rm\s[^;&|]*/var/lib/apt/lists", script) is not None


def _apt(words: list[str]) -> Iterator[Fault]:
    if "install" not in words:
        return
    packages = _values(words[words.index("install") + 1 :], _APT_VALUES)
    if any("=" not in one and not _LOCAL.search(one) and not one.endswith(".deb") for one in packages):
        yield "DL3008", "warning", "packages without a version: apt-get install NAME=VERSION"
    if not any(re.match(r"^(?:-[a-z]*y[a-z]*|--yes|--assume-yes|-q{2,}|-q=2)$", word) for word in words):
        yield "DL3014", "warning", "without -y apt-get asks, and nobody is there to answer"
    if "--no-install-recommends" not in words and not any("Install-Recommends" in word for word in words):
        yield "DL3015", "info", "--no-install-recommends keeps out what nobody asked for"


def _apk(words: list[str]) -> Iterator[Fault]:
    if "add" not in words:
        return
    given = words[words.index("add") + 1 :]
    packages = _values(given, frozenset({"--virtual", "-t", "--repository", "-X"}))
    if any(not re.search(r"[=<>~@]", one) and not _LOCAL.search(one) and not one.endswith(".apk") for one in packages):
        yield "DL3018", "warning", "packages without a version: apk add NAME=VERSION"
    if "--no-cache" not in words:
        yield "DL3019", "info", "apk add --no-cache leaves no index behind"


def _npm(words: list[str]) -> Iterator[Fault]:
    for one in _named(words):
        last = one.rpartition("/")[2] if one.startswith("@") else one
        if "@" not in last and not _LOCAL.search(one) and "/" not in one.removeprefix("@").partition("/")[2]:
            yield "DL3016", "warning", f"{one} without a version: npm install {one}@VERSION"
            return


def _pip(words: list[str], cached: bool) -> Iterator[Fault]:
    listed = any(word in ("-r", "--requirement") or word.startswith(("-r", "--requirement")) for word in words)
    bound = any(word in ("-c", "--constraint") or word.startswith("--constraint") for word in words)
    loose = [one for one in _values(words, _PIP_VALUES) if not re.search(r"[=<>~@]", one) and not _LOCAL.search(one)]
    if loose and not (listed or bound):
        yield "DL3013", "warning", f"{loose[0]} without a version: pip install {loose[0]}==VERSION, or a list with -r"
    if "--no-cache-dir" not in words and not cached:
        yield "DL3042", "warning", "pip keeps a copy of what it downloads: --no-cache-dir, or RUN --mount=type=cache"


def _pip_install(words: list[str]) -> list[str] | None:
    """The words after ``pip install``; ``None`` for every other command."""
    if _PYTHON.match(words[0]):
        at = next((n for n in range(1, len(words) - 1) if words[n] == "-m" and words[n + 1] == "pip"), None)
        rest = words[at + 2 :] if at is not None else []
    else:
        rest = words[1:] if _PIP.match(words[0]) else []
    return [word for word in rest if word != "install"] if "install" in rest else None


def _values(words: list[str], with_value: frozenset[str]) -> list[str]:
    """The words that are no options and no values of options."""
    found, skip = [], False
    for word in words:
        if skip or word in with_value:
            skip = not skip and word in with_value
        elif not word.startswith("-"):
            found.append(word)
    return found


def _named(words: list[str]) -> list[str]:
    return [word for word in words if not word.startswith("-") and "$" not in word]
