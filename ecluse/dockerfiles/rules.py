"""The rules: those of hadolint under its own numbers (https://github.com/hadolint/hadolint#rules), ours as ``ECL…``.

The words of a shell are told apart without its expansions: a rule that would have to guess says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

from ecluse.dockerfiles import commands
from ecluse.dockerfiles.reading import Dockerfile, Instruction, Stage, read


class Level(StrEnum):
    """``ERROR`` is wrong whatever one wants, ``WARNING`` will hurt one day, ``INFO`` is worth a look."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that a rule says of a line."""

    line: int
    rule: str
    level: Level
    said: str

    def __str__(self) -> str:
        return f"{self.line}: {self.rule} {self.level}: {self.said}"


_WORDS = frozenset(
    [
        "ADD",
        "ARG",
        "CMD",
        "COPY",
        "ENTRYPOINT",
        "ENV",
        "EXPOSE",
        "FROM",
        "HEALTHCHECK",
        "LABEL",
        "MAINTAINER",
        "ONBUILD",
        "RUN",
        "SHELL",
        "STOPSIGNAL",
        "USER",
        "VOLUME",
        "WORKDIR",
    ]
)
_SECRET = re.compile(
    r"(?:^|_)(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|SECRET_KEY|TOKEN|API_?KEY|PRIVATE_KEY|ACCESS_KEY|CREDENTIALS?)$"
)
_ARCHIVE = re.compile(r"\.(?:tar|tgz|tbz2?|txz|tar\.\w+|gz|bz2|xz|zst)[\"']?$", re.IGNORECASE)
_PAIR = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(\"(?:[^\"\\]|\\.)*\"|'[^']*'|\S*)")
_ROOTS = ("root", "0")
Found = Iterator[tuple[Instruction, str, Level, str]]


def is_dockerfile(path: str) -> bool:
    """Whether a file of this name is a Dockerfile: ``Dockerfile``, ``Dockerfile.dev``, ``api.Dockerfile``, ``Containerfile``."""
    name = PurePosixPath(path).name.lower()
    base, _, end = name.partition(".")
    return (base in ("dockerfile", "containerfile") and end != "dockerignore") or end in ("dockerfile", "containerfile")


def lint(text: str) -> list[Finding]:
    """What is to be said of a Dockerfile, in the order of its lines; without what its comments take out."""
    file = read(text)
    if not file.stages:
        return [Finding(1, "ECL0001", Level.ERROR, "there is no FROM, so nothing can be built")]
    found = []
    for rule in _RULES:
        for at, name, level, said in rule(file):
            if name not in at.ignored and name not in file.ignored:
                found.append(Finding(at.line, name, level, said))
    return sorted(set(found))


# -- what a stage is built on --------------------------------------------------------------------------------------


def _bases(file: Dockerfile) -> Found:
    names: set[str] = set()
    for stage in file.stages:
        start, image = stage.instructions[0], stage.image
        known = image.lower() in names or image == "scratch" or "$" in image
        last = image.rpartition("/")[2]
        if not known and "@" not in image:
            if ":" not in last:
                yield start, "DL3006", Level.WARNING, f"{image} has no tag, so tomorrow it is another image"
            elif last.endswith(":latest"):
                yield start, "DL3007", Level.WARNING, f"{image} is another image whenever it is renewed; name a version"
        if stage.name and stage.name in names:
            yield start, "DL3024", Level.ERROR, f"there are two stages called {stage.name}"
        names.add(stage.name)


def _words(file: Dockerfile) -> Found:
    for one in _all(file):
        if one.word not in _WORDS:
            yield one, "ECL0002", Level.ERROR, f"{one.word} is no instruction"
        if one.word == "MAINTAINER":
            yield one, "DL4000", Level.ERROR, "MAINTAINER is no longer used; write LABEL maintainer="


# -- who runs it, and how it is started ----------------------------------------------------------------------------


def _users(file: Dockerfile) -> Found:
    """The user whom the image is started as; a stage that is built on another one inherits its user."""
    last = file.stages[-1]
    said = _user_of(file, last)
    if said is None:
        if not re.search(r"nonroot|rootless|distroless", last.image):
            yield last.instructions[0], "ECL0003", Level.INFO, "no USER is named, so it runs as root"
    elif re.split(r"[:\s]", said.rest, maxsplit=1)[0].strip("\"'") in _ROOTS:
        yield said, "DL3002", Level.WARNING, "the last USER should not be root"


def _user_of(file: Dockerfile, stage: Stage) -> Instruction | None:
    own = [one for one in stage.instructions if one.word == "USER"]
    if own:
        return own[-1]
    index = file.stages.index(stage)
    below = next((one for one in reversed(file.stages[:index]) if one.name and one.name == stage.image.lower()), None)
    return _user_of(file, below) if below else None


def _starts(file: Dockerfile) -> Found:
    for stage in file.stages:
        for word, rule in (("CMD", "DL4003"), ("ENTRYPOINT", "DL4004")):
            for one in [one for one in stage.instructions if one.word == word][1:]:
                level = Level.WARNING if word == "CMD" else Level.ERROR
                yield one, rule, level, f"only the last {word} of a stage counts"
        for one in stage.instructions:
            if one.word in ("CMD", "ENTRYPOINT") and one.rest and one.as_list() is None:
                text = f'write {one.word} as ["program", "argument"]: a shell between swallows the signal that ends it'
                yield one, "DL3025", Level.WARNING, text
            if one.word == "WORKDIR" and not re.match(r"[\"']?(?:/|\$|[A-Za-z]:)", one.rest):
                yield one, "DL3000", Level.ERROR, f"WORKDIR {one.rest} is not absolute"


# -- what comes in -------------------------------------------------------------------------------------------------


def _copies(file: Dockerfile) -> Found:
    for stage in file.stages:
        for one in stage.instructions:
            if one.word == "ADD":
                sources = (one.as_list() or one.rest.split())[:-1]
                for source in sources:
                    if "://" not in source and not source.startswith("git@") and not _ARCHIVE.search(source):
                        yield one, "DL3020", Level.ERROR, "COPY what is only to be copied; ADD unpacks and downloads"
                        break
            if one.word == "COPY" and stage.name and one.flag("from").lower() == stage.name:
                yield one, "DL3023", Level.ERROR, f"the stage {stage.name} copies from itself"


def _order(file: Dockerfile) -> Found:
    """Sources that are copied before the dependencies are installed: every change of one installs them all again."""
    for stage in file.stages:
        copied: Instruction | None = None
        installed = False
        for one in stage.instructions:
            if one.word in ("COPY", "ADD") and not one.flag("from"):
                sources = (one.as_list() or one.rest.split())[:-1]
                if any(source.rstrip("/") in (".", "") for source in sources):
                    copied = copied or one
            if one.word == "RUN" and commands.installs_a_list(one.script):
                if copied is not None and not installed:
                    text = "everything is copied before the dependencies are installed; copy their list first, install, then the rest"
                    yield copied, "ECL0004", Level.WARNING, text
                installed = True


def _secrets(file: Dockerfile) -> Found:
    """Values of secrets stay in every layer and in the image's history, whoever deletes them later."""
    for one in _all(file):
        if one.word not in ("ENV", "ARG"):
            continue
        pairs = _PAIR.findall(one.rest)
        if one.word == "ENV" and not pairs:
            pairs = [tuple(one.rest.partition(" ")[::2])]
        for name, value in pairs:
            plain = value.strip("\"'")
            if plain and "$" not in plain and _SECRET.search(name.upper()):
                text = f"{one.word} {name} keeps a secret in the image; use RUN --mount=type=secret, or give it at the start"
                yield one, "ECL0005", Level.ERROR, text


# -- what is run ---------------------------------------------------------------------------------------------------


def _runs(file: Dockerfile) -> Found:
    for stage in file.stages:
        piped = False
        for one in stage.instructions:
            if one.word == "SHELL":
                piped = "pipefail" in one.rest or not re.search(r"\b(?:ba|z|a)?sh\b", one.rest)
            if one.word != "RUN":
                continue
            for rule, level, said in commands.faults(one.script, mounts=one.flags):
                yield one, rule, Level(level), said
            if not piped and one.as_list() is None and commands.has_pipe(one.script):
                text = "a pipe hides the failure of what stands before it; set SHELL with -o pipefail before"
                yield one, "DL4006", Level.WARNING, text


def _all(file: Dockerfile) -> Iterator[Instruction]:
    yield from file.head
    for stage in file.stages:
        yield from stage.instructions


_RULES: tuple[Callable[[Dockerfile], Found], ...] = (_bases, _words, _users, _starts, _copies, _order, _secrets, _runs)
