"""What each commit of a change may be: who, when, what it says, and what a merge may do."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from ecluse.clock import now
from ecluse.git import ChangedPath, Commit, Identity, Repository
from ecluse.intake.objects import Reader
from ecluse.intake.pathrules import BIDI, INVISIBLE
from ecluse.intake.textrules import is_mixed
from ecluse.model import Finding, Role, Verdict
from ecluse.patterns import expression
from ecluse.signing import Principal

_FORGES = expression(
    r"^(?:noreply@github\.com|(?:[0-9]+\+)?github-actions\[bot\]@users\.noreply\.github\.com|noreply@gitlab\.com"
    r"|(?:[0-9]+\+)?[^@+]*\[bot\]@users\.noreply\.github\.com"
    r"|(?:no-?reply|actions|support)@(?:github|gitlab)\.com"
    r"|(?:noreply|no-reply)@(?:bitbucket\.org|codeberg\.org|gitea\.(?:io|com)|forgejo\.org))$",
    re.IGNORECASE,
)
_JOINERS = frozenset((0x200C, 0x200D, 0xFEFF))
_FORGE_NAME = expression(
    r"\[bot\]$|^(?:github|gitlab|web-flow|github[ -]actions?(?: bot)?|gitlab[ -]ci)$", re.IGNORECASE
)
_HIDING = frozenset(map(chr, (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, *BIDI, *(INVISIBLE - _JOINERS))))
"""Characters that control, turn or hide text."""

_HIDING_IN_MESSAGE = _HIDING - {"\n", "\t"}
_Fault = tuple[str, Verdict, str]
"""Code, verdict, and what a commit does that is wrong."""

_FUTURE = timedelta(days=366)
_STAMP = expression(rb"(?:author|committer) .*> (-?[0-9]+) [+-]([0-9]{2})([0-9]{2})$")
_ENCODINGS = (b"utf-8", b"utf8", b"iso-8859-1", b"latin1", b"iso-8859-15")
_HEADER = expression(
    rb"tree [0-9a-f]{40}\n(?:parent [0-9a-f]{40}\n)*author [^\n]*\ncommitter [^\n]*\n(?!(?:[^\n]*\n)*(?:tree|parent|author|committer) )"
)
_SKIP = expression(
    r"\[\s*(?:skip|no)[ _-](?:ci|cd|actions?|checks?|tests?|builds?|deploy|travis|circle(?:ci)?|azp|azurepipelines|appveyor|netlify|vercel)\s*\]"
    r"|\[\s*(?:ci|cd|actions?|travis|circle(?:ci)?|azp|azurepipelines|appveyor)[ _-]skip\s*\]|\*\*\*NO_CI\*\*\*|^skip-checks:\s*true",
    re.IGNORECASE | re.M,
)
_TRAILER = expression(
    r"^(?:(?:[a-z]+-)*(?:approved|reviewed|acked|tested|verified|merged|lgtm)(?:-by)?|ecluse-[a-z-]+|change-trusted|code-review)\s*:",
    re.IGNORECASE | re.M,
)
_MARKUP = expression(
    r"<\s*(?:script|img|svg|iframe|object|embed|style|form|meta|link|base|math|video|audio|details|a\s+href)\b|</\s*[a-z][\w-]*\s*>|<!--"
    r"|(?:javascript|vbscript):|data:text/html|<[^<>]{0,300}\bon[a-z]{3,20}\s*=\s*\S|\{\{[^{}\n]{1,200}\}\}"
    r"|^[=+@-](?:[A-Z]{2,}\(|cmd\|)|^::[a-z-]+(?: [^:]*)?::",
    re.IGNORECASE | re.MULTILINE,
)
_SPEAKS_TO_US = expression(
    r"(?:ignore|disregard|forget|override)\s+(?:\w+\s+){0,3}?(?:previous|prior|above|earlier|preceding|your|system)\s+(?:\w+\s+)?"
    r"(?:instructions?|rules|prompts?|directions|guidelines)|forget (?:everything|all)\b|\bsystem prompt: "
    r"|ignore[rz]? (?:\w+ )?(?:les |toutes les )?(?:instructions|consignes) pr|ignorier\w* (?:alle )?(?:vorherigen|bisherigen|obigen)"
    r"|(?:you are|as) (?:now )?an? (?:ai|assistant|reviewer|agent|language model)\b|\b(?:ai|llm) (?:reviewers?|assistants?|agents?)\s*[:,]"
    r"|^\s*(?-i:SYSTEM|ASSISTANT|DEVELOPER)\s*:|\n\s*(?:system|assistant|developer)\s*:"
    r"|\bcall (?:the )?(?:tool|function) \w+\s*\(|<\|[a-z_]+\|>|<(?:tool_call|function_calls|invoke)\b|\[/?INST\]", re.IGNORECASE | re.MULTILINE,
)  # fmt: skip

_BEGINNINGS = (
    "<", "script:", "data:text", "{{", "(", "|", "::", "ignor", "disregard", "forget", "override", "system", "you are", "as a",
    "assistant", "developer", "ai ", "llm ", "[inst", "[/inst",
)  # fmt: skip
"""Each of the two expressions needs one of these pieces, in lower case."""


def judge_commits(
    reader: Reader, commits: Sequence[Commit], principals: Iterable[Principal], signer: str
) -> list[Finding]:
    """Judge what every commit says of itself. ``principals`` are those of the trunk's keys, ``signer`` who signed the
    bundle."""
    found: list[Finding] = []
    others = {one.name.casefold(): one.role for one in principals if one.name.casefold() != signer.casefold()}
    seen: dict[Identity, list[_Fault]] = {}
    latest = (now() + _FUTURE).timestamp()
    raw = reader.read_many(commit.id for commit in commits)
    for commit, (_, _, data) in zip(commits, raw, strict=True):
        found += _judge_people(commit, others, seen)
        found += _judge_message(commit)
        found += _judge_raw(commit, data, latest)
    return found


def judge_merges(repository: Repository, commits: Sequence[Commit]) -> list[Finding]:
    """Judge what every merge does. Only for trees whose size is known to be sane."""
    return [finding for commit in commits if len(commit.parents) > 1 for finding in _judge_merge(repository, commit)]


def _judge_people(commit: Commit, others: Mapping[str, Role], seen: dict[Identity, list[_Fault]]) -> list[Finding]:
    """Judge author and committer; ``seen`` keeps what was found of each, because few people make most commits."""
    found = []
    for who in (commit.author, commit.committer):
        if who not in seen:
            seen[who] = _faults_of(who, others)
        found += [Finding(code, verdict, f"commit {commit.id[:12]} {why}") for code, verdict, why in seen[who]]
    return found


def _faults_of(who: Identity, others: Mapping[str, Role]) -> list[_Fault]:
    found: list[_Fault] = []
    if not who.name.strip() or not who.email.strip():
        found.append(("author.invalid", Verdict.REJECT, "has an author or committer without name or address"))
    if not _HIDING.isdisjoint(who.name + who.email):
        found.append(("author.invalid", Verdict.REJECT, "has control characters in its author or committer"))
    if is_mixed(who.name):
        found.append(
            ("text.homoglyph", Verdict.QUARANTINE, f"is by {who.name!a}, a name that mixes look-alike alphabets")
        )
    if _FORGES.match(who.email.strip()) or _FORGE_NAME.search(who.name.strip()):
        why = f"claims to be made by the forge ({who.name} <{who.email}>)"
        found.append(("author.mismatch", Verdict.REJECT, why))
    if who.email.strip().casefold() in others:
        found.append(("author.mismatch", Verdict.REJECT, f"claims to be by {who.email}, who did not sign it"))
    elif role := others.get(who.name.strip().casefold()):
        found.append(_fault_of_name(who.name, role))
    return found


def judge_claim(name: str, principals: Iterable[Principal], signer: str) -> list[Finding]:
    """The manifest's agent may call itself what it likes, except by the name of a listed person who did not sign."""
    claimed = name.strip().casefold()
    listed = {one.name.casefold(): one.role for one in principals}
    if claimed in listed and claimed != signer.casefold():
        code, verdict, why = _fault_of_name(name, listed[claimed])
        return [Finding(code, verdict, f"the manifest {why}")]
    return []


def _fault_of_name(name: str, role: Role) -> _Fault:
    """A person's name needs the person's key. An agent's is a claim: an exporter with nothing installed cannot sign."""
    if role is Role.AGENT:
        why = f"says it is by {name}, whose key did not sign it: a claim, not proven"
        return "author.unproven", Verdict.WARN, why
    return "author.mismatch", Verdict.REJECT, f"claims to be by {name}, who did not sign it"


def is_untrusted(text: str) -> bool:
    """Whether words hold markup, or speak to whoever reads them as if they were instructions."""
    lower = text.lower()
    if not text.isascii() or any(word in lower for word in _BEGINNINGS):  # most messages hold none of these
        return bool(_MARKUP.search(text) or _SPEAKS_TO_US.search(text))
    return False


def _judge_message(commit: Commit) -> list[Finding]:
    found = []
    text = commit.message
    if len(text) > 65536:
        found.append(
            _finding("message.too_long", Verdict.REJECT, commit, "has a message of more than 65,536 characters")
        )
    if not _HIDING_IN_MESSAGE.isdisjoint(text.replace("\r\n", "\n")):
        found.append(
            _finding(
                "message.control_chars",
                Verdict.NEUTRALISE,
                commit,
                "has control characters in its message; they are shown as escapes",
            )
        )
    lower = text.lower()
    if (not text.isascii() or any(word in lower for word in ("skip", "[no", "[ no", "no_ci"))) and _SKIP.search(text):
        found.append(
            _finding("message.skip_ci", Verdict.NEUTRALISE, commit, "asks to skip the checks; they run all the same")
        )
    if (":" in text or not text.isascii()) and _TRAILER.search(text.replace("Ecluse-Uncommitted:", "")):
        found.append(
            _finding(
                "message.trailer",
                Verdict.NEUTRALISE,
                commit,
                "claims an approval in its message; it counts for nothing",
            )
        )
    if is_untrusted(text):
        found.append(
            _finding(
                "message.untrusted",
                Verdict.NEUTRALISE,
                commit,
                "has markup or instructions in its message; it is shown as plain text",
            )
        )
    return found


def _judge_raw(commit: Commit, data: bytes, latest: float) -> list[Finding]:
    """Judge what only the bytes of a commit show; ``latest`` is the last moment that it may claim, in epoch seconds."""
    found = []
    head = data.partition(b"\n\n")[0]
    if not _HEADER.match(head + b"\n"):
        text = "has header lines missing, twice, or in another order than git writes them"
        found.append(_finding("commit.malformed", Verdict.REJECT, commit, text))
    for line in head.split(b"\n"):
        if line.startswith((b"author ", b"committer ")):
            found += _judge_stamp(commit, line, latest)
        elif line.startswith(b"encoding ") and line[9:].strip().lower() not in _ENCODINGS:
            found.append(_finding("commit.encoding", Verdict.WARN, commit, "is in an uncommon text encoding"))
    if b"gpgsig" not in head:
        return found
    signature = re.search(rb"^gpgsig(?:-sha256)? ((?:.*\n )*.*)", head, re.M)
    if signature:
        if _is_signature(signature[1].replace(b"\n ", b"\n")):
            found.append(
                _finding("signature.unverified", Verdict.WARN, commit, "carries a signature that is not checked here")
            )
        else:
            found.append(
                _finding(
                    "signature.invalid", Verdict.REJECT, commit, "carries something that only looks like a signature"
                )
            )
    return found


def _judge_stamp(commit: Commit, line: bytes, latest: float) -> list[Finding]:
    stamp = _STAMP.match(line)
    if stamp is None:
        return [_finding("author.invalid", Verdict.REJECT, commit, "has a malformed author or committer line")]
    if 0 <= int(stamp[1]) <= latest and int(stamp[2]) <= 14 and int(stamp[3]) <= 59:
        return []
    why = "is dated before 1970, far in the future, or in no time zone"
    return [_finding("author.date", Verdict.REJECT, commit, why)]


def _is_signature(text: bytes) -> bool:
    """Whether an armour holds what its first line promises: an OpenSSH signature, an OpenPGP packet, a CMS object."""
    match = re.match(
        rb"-----BEGIN (SSH SIGNATURE|PGP SIGNATURE|PGP MESSAGE|SIGNED MESSAGE)-----\n(.*?)\n-----END \1-----\s*\Z",
        text.strip() + b"\n",
        re.DOTALL,
    )
    if not match:
        return False
    body = match[2].partition(b"\n\n")[2] if b": " in match[2].split(b"\n\n")[0] else match[2]
    lines = [line for line in body.strip().split(b"\n") if line and not line.startswith(b"=")]
    try:
        raw = base64.b64decode(b"".join(lines), validate=True)
    except ValueError:
        return False
    if match[1] == b"SSH SIGNATURE":
        return raw.startswith(b"SSHSIG") and len(raw) > 60
    return len(raw) > 40 and bool(raw[0] & 0x80 or raw[0] == 0x30)


def _judge_merge(repository: Repository, commit: Commit) -> list[Finding]:
    """A merge may differ from what git merges by itself only where git could not: elsewhere it would hide an edit."""
    if len(commit.parents) != 2:
        return [_finding("commit.octopus", Verdict.QUARANTINE, commit, "merges more than two parents")]
    if repository.merge_base(*commit.parents) is None:
        return [
            _finding("commit.merge_not_allowed", Verdict.REJECT, commit, "merges histories that have nothing in common")
        ]
    merged = repository.merge(*commit.parents)
    free = set(merged.conflicts)
    hidden: list[ChangedPath] = [
        change for change in repository.changed_paths(merged.tree, commit.tree)
        if change.path not in free and not any(change.path.startswith(f"{path}~") for path in free)
    ]  # fmt: skip
    if not hidden:
        return []
    names = ", ".join(change.path for change in hidden[:5])
    return [
        _finding(
            "commit.merge_not_allowed",
            Verdict.REJECT,
            commit,
            f"is a merge that also edits {names!a}, where nothing conflicted",
        )
    ]


def _finding(code: str, verdict: Verdict, commit: Commit, why: str) -> Finding:
    return Finding(code, verdict, f"commit {commit.id[:12]} {why}")
