"""Objects of a stranger in a repository that is thrown away: unpacked under limits, checked whole, then looked at."""

from __future__ import annotations

import re
import signal
from pathlib import Path

from ecluse import process
from ecluse.errors import Failed, Refused
from ecluse.git import Repository
from ecluse.intake.bundlefile import BundleHeader, refuse
from ecluse.model import Finding, Verdict
from ecluse.patterns import expression

_TIME_LIMIT_S = 120.0
_MEMORY_BYTES = 448 << 20
_CPU_S = 240
_SETTINGS = (
    "-c", "core.bigFileThreshold=32m", "-c", "core.deltaBaseCacheLimit=32m", "-c", "pack.threads=1",
    "-c", "core.fsync=none",
)  # fmt: skip
"""The last one because what is thrown away need not reach the disk; what is kept of it is copied and synced."""

_OUT_OF_TIME = tuple(-int(getattr(signal, name)) for name in ("SIGXCPU", "SIGKILL") if hasattr(signal, name))
_FSCK = expression(r"^(error|warning): object ([0-9a-f]{40}): ([A-Za-z]+): (.*)$", re.M)

_CODES: dict[str, str] = {
    "hasDot": "path.dot_component",
    "hasDotdot": "path.dotdot",
    "hasDotgit": "path.dotgit",
    "fullPathname": "path.absolute",
    "emptyName": "path.empty_component",
    "nullSha1": "tree.malformed",
    "badTree": "tree.malformed",
    "duplicateEntries": "tree.duplicate",
    "treeNotSorted": "tree.unsorted",
    "zeroPaddedFilemode": "mode.zero_padded",
    "badFilemode": "mode.canonicalised",
    "multipleAuthors": "author.invalid",
    "gitmodulesSymlink": "symlink.git_control_file",
    "gitattributesSymlink": "symlink.git_control_file",
    "gitignoreSymlink": "symlink.git_control_file",
    "mailmapSymlink": "symlink.git_control_file",
    "gitmodulesName": "submodule.name",
    "gitmodulesUrl": "submodule.url",
    "gitmodulesPath": "submodule.path",
    "gitmodulesUpdate": "submodule.update",
    "gitmodulesParse": "submodule.malformed",
    "gitmodulesMissing": "submodule.malformed",
    "gitmodulesBlob": "submodule.malformed",
    "gitattributesLineLength": "toolconfig.gitattributes",
    "gitattributesLarge": "toolconfig.gitattributes",
    "nulInHeader": "commit.malformed",
    "nulInCommit": "commit.malformed",
}
_REFUSED_WARNINGS = ("gitattributesSymlink", "gitignoreSymlink", "mailmapSymlink", "nulInCommit")


def limits_for(largest: int) -> process.Limits:
    """What a git process may use that unpacks or compares a stranger's objects, the largest of ``largest`` bytes.

    A delta is applied with both of its sides in memory; whatever goes beyond that is not a change but an attack.
    """
    return process.Limits(_MEMORY_BYTES + 3 * largest, _CPU_S)


def unpack(throwaway: Repository, bundle: Path, header: BundleHeader, max_bytes: int, largest: int) -> list[Finding]:
    """Unpack the bundle's pack into ``throwaway`` with every check git has; return what git remarked.

    ``largest`` are the bytes of its largest object. Raises :class:`Refused` with the rule that an object breaks, or
    ``bundle.incomplete``, ``bundle.corrupt``, ``limit.time``, ``limit.memory``.
    """
    with bundle.open("rb") as handle:
        handle.seek(header.pack_at)
        try:
            done = throwaway.run(
                *_SETTINGS, "index-pack", "--stdin", "--strict", "--fsck-objects", "--fix-thin",
                f"--max-input-size={max_bytes}", stdin=handle, check=False, timeout_s=_TIME_LIMIT_S,
                limits=limits_for(largest),
            )  # fmt: skip
        except Failed as problem:
            if problem.code != "process.timeout":
                raise
            raise refuse("limit.time", f"Unpacking the bundle took longer than {_TIME_LIMIT_S:g} s") from problem
    said = done.stderr.decode("utf-8", "replace")
    remarks = [(kind, word, text) for kind, _, word, text in _FSCK.findall(said)]
    if done.code in _OUT_OF_TIME:
        raise refuse("limit.time", f"Unpacking the bundle took more than {_CPU_S} s of work")
    if done.code:
        raise _why(said, remarks)
    found = []
    for _, word, text in remarks:
        verdict = (
            Verdict.NEUTRALISE
            if word == "badFilemode"
            else Verdict.REJECT
            if word in _REFUSED_WARNINGS
            else Verdict.WARN
        )
        found.append(Finding(_CODES.get(word, f"object.{word}"), verdict, f"git remarks: {text[:200]}"))
    return found


def _why(said: str, remarks: list[tuple[str, str, str]]) -> Refused | Failed:
    for kind, word, text in remarks:
        if kind == "error":
            return refuse(code_of(word), f"An object of the bundle is not well formed: {text[:200]!a}")
    if "No space left" in said or "Disk quota" in said:
        return Failed(
            "disk.full",
            "The disk is full: the bundle could not be unpacked. It is kept.",
            "free some space (df -h shows where)",
        )
    if "did not receive expected object" in said or "unresolved delta" in said or "not a valid object" in said.lower():
        return refuse("bundle.incomplete", "The bundle does not hold all the objects that its commits need")
    if "out of memory" in said.lower() or "cannot allocate" in said.lower() or "mmap failed" in said:
        return refuse("limit.memory", "Unpacking the bundle took more memory than is allowed")
    if "exceeds maximum" in said or "maximum allowed" in said:
        return refuse("limit.bundle_size", "The pack is larger than allowed")
    last = said.strip().splitlines()[-1] if said.strip() else "no reason given"
    return refuse("bundle.corrupt", f"git cannot unpack the bundle: {last[:200]!a}")


def code_of(word: str) -> str:
    """Our reason code for a message of ``git fsck``."""
    if word in _CODES:
        return _CODES[word]
    if "Date" in word or "Timezone" in word:
        return "author.date"
    if "Email" in word or "Name" in word or "Author" in word or "Committer" in word:
        return "author.invalid"
    if word.startswith("gitmodules"):
        return "submodule.malformed"
    return f"object.{word}"
