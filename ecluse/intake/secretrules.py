"""Secrets that a change would bring: in the result, in any commit on the way to it, and in commit messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ecluse.git import ChangedPath, Commit
from ecluse.intake.objects import Blobs
from ecluse.intake.pathrules import shown
from ecluse.model import Finding, Verdict
from ecluse.secrets.scan import Sieve, is_lock_file, scan, scan_added, sensitive_path

_SCAN_CAP = 8 << 20
_FINDINGS_CAP = 50


def find_secrets(
    blobs: Blobs,
    commits: Sequence[Commit],
    by_commit: Mapping[str, Sequence[ChangedPath]],
    result: Sequence[ChangedPath],
    search: Search | None = None,
) -> list[Finding]:
    """Findings ``secret.file``, ``secret.found``, ``secret.in_history`` and ``secret.in_message``, without any value.

    ``result`` are the changes from base to head, ``by_commit`` those of each commit. What the base holds already is
    not the change's doing. ``search`` may have looked at some of them before.
    """
    history = [change for commit in commits for change in by_commit.get(commit.id, ())]
    search = search or Search(blobs)
    search.look([*result, *history])
    suspects = search.suspects
    found = [*_files(result, "secret.file"), *_values(blobs, suspects, result, "secret.found")]
    there = {(one.path, one.message.partition(": ")[2]) for one in found}
    later = [*_files(history, "secret.file"), *_values(blobs, suspects, history, "secret.in_history")]
    found += [one for one in later if (one.path, one.message.partition(": ")[2]) not in there]
    messages = ((commit.id, commit.message.encode("utf-8", "surrogateescape")) for commit in commits)
    paths = "\n".join({one.path for one in (*result, *history) if one.status != "D"})
    if any(not hit.rule.endswith("-assignment") for hit in scan(paths.encode("utf-8", "replace"))):
        found.append(Finding("secret.found", Verdict.REJECT, "the name of a file holds a secret"))
    for commit_id, message in Sieve().suspects(messages):
        for hit in scan(message):
            text = f"the message of commit {commit_id[:12]}, line {hit.line}: {hit.rule}"
            found.append(Finding("secret.in_message", Verdict.REJECT, text, "", hit.line))
    unique = {(one.code, one.path, one.message): one for one in found}
    return list(unique.values())[:_FINDINGS_CAP]


def _files(changes: Sequence[ChangedPath], code: str) -> list[Finding]:
    found = []
    for change in changes:
        rule = sensitive_path(change.path)
        if rule and change.status != "D" and change.new_mode.startswith("100"):
            found.append(
                Finding(code, Verdict.REJECT, f"{shown(change.path)} is a file that holds secrets: {rule}", change.path)
            )
    return found


class Search:
    """Finds the files in which something looks like a secret, whoever brought it; each is read and scanned once.

    A file of which one name is a lock file and another is not is scanned as what it is by the stricter name.
    """

    def __init__(self, blobs: Blobs) -> None:
        self.suspects: set[str] = set()
        self._blobs = blobs
        self._names: dict[str, str] = {}
        self._sieve = Sieve()

    def look(self, changes: Sequence[ChangedPath]) -> None:
        """Scan what the changes bring, as far as that has not been done."""
        fresh: dict[str, str] = {}
        for change in changes:
            known = self._names.get(change.new_id)
            if _brings_content(change) and (known is None or is_lock_file(known)):
                self._names[change.new_id] = fresh[change.new_id] = change.path
        found = self._sieve.suspects(self._blobs.each(fresh, _SCAN_CAP))
        self.suspects |= {oid for oid, data in found if scan(data, fresh[oid])}


def _values(blobs: Blobs, suspects: set[str], changes: Sequence[ChangedPath], code: str) -> list[Finding]:
    new: dict[str, ChangedPath] = {}
    for change in changes:
        if change.new_id in suspects and _brings_content(change):
            new.setdefault(change.new_id, change)
    found = []
    for oid, change in new.items():
        known = (
            change.old_mode.startswith("100") and blobs.has(change.old_id) and blobs.size(change.old_id) <= _SCAN_CAP
        )
        for hit in scan_added(blobs(change.old_id) if known else b"", blobs(oid), change.path):
            text = f"{shown(change.path)} line {hit.line}: {hit.rule}"
            found.append(Finding(code, Verdict.REJECT, text, change.path, hit.line))
    return found


def _brings_content(change: ChangedPath) -> bool:
    return change.status != "D" and change.new_mode in ("100644", "100755", "120000")
