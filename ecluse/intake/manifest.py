"""The manifest of a bundle: its fields, how it is written, and how a stranger's is read.

The keys of the first specification (``export_timestamp``, ``git``, ``patch``, ``status``...) are kept beside ours, so
that people and programs who know them find what they expect; they are never what a decision rests on.
"""

from __future__ import annotations

import functools
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from ecluse.clock import now
from ecluse.dataclass import dataclass, field
from ecluse.errors import Refused
from ecluse.intake.strictjson import loads, refused
from ecluse.model import Agent
from ecluse.patterns import expression

SCHEMA = "ecluse-change/1"
FOREIGN_SCHEMA = "change/1"
KINDS = ("bundle", "patch")
_AGENT = ("tool", "model", "session", "task", "cost")
_ROOTS_CAP = 100

MARK = "Ecluse-Uncommitted: yes"
"""The line of a message that tells uncommitted work from what somebody committed."""

ID = expression(r"(?!.*(?:\.\.|\.lock\Z|\.\Z))[a-z0-9A-Z][A-Za-z0-9._-]{0,79}\Z")
_OID = expression(r"[0-9a-f]{40}\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_INSTANT = expression(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})\Z")
_NONCE = expression(r"[A-Za-z0-9_-]{1,128}\Z")
_NAME = expression(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}\Z")


@dataclass(frozen=True, slots=True)
class Payload:
    """One file that carries the change: ``kind`` is ``bundle`` or ``patch``, ``size`` in bytes (-1: not declared)."""

    kind: str
    name: str
    sha256: str
    size: int = -1


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a bundle says of itself. Every word of it is a claim until it has been compared with the objects."""

    id: str
    revision: int
    title: str
    agent: Agent
    base: str
    head: str
    tree: str
    payloads: tuple[Payload, ...]
    base_tree: str = ""
    target: str = ""
    uncommitted: str = ""
    note: str = ""
    files: tuple[dict[str, Any], ...] = ()
    not_carried: tuple[dict[str, Any], ...] = ()
    validations: tuple[dict[str, Any], ...] = ()
    foreign: bool = False
    roots: tuple[str, ...] = ()
    remote: str = ""
    branch: str = ""
    stood_at: str = ""
    """The last commit that somebody had made where the change was exported."""

    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def only_uncommitted(self) -> bool:
        """Whether nobody had committed any of it: then its patch, taken alone, is all uncommitted work."""
        mine = self.uncommitted and self.uncommitted == self.head and self.stood_at == self.base
        return bool(mine and self.files) and all(one.get("origin", "committed") != "committed" for one in self.files)

    def payload(self, kind: str) -> Payload | None:
        """The payload of this kind, or ``None``."""
        return next((one for one in self.payloads if one.kind == kind), None)


def write(manifest: Manifest, former: dict[str, Any]) -> bytes:
    """The bytes of a manifest; ``former`` are the keys of the first specification."""
    agent = manifest.agent
    document: dict[str, Any] = {
        "schema": SCHEMA,
        **former,
        "agent": agent.name,
        "agent_details": {name: getattr(agent, name) for name in _AGENT},
        "change": {"id": manifest.id, "revision": manifest.revision, "title": manifest.title},
        "base": {"commit": manifest.base, "tree": manifest.base_tree},
        "head": {"commit": manifest.head, "tree": manifest.tree},
        "target": manifest.target,
        "uncommitted": manifest.uncommitted,
        "note": manifest.note,
        "files": list(manifest.files),
        "not_carried": list(manifest.not_carried),
        "validations": list(manifest.validations),
        "payloads": [{"kind": p.kind, "name": p.name, "sha256": p.sha256, "size": p.size} for p in manifest.payloads],
        "repository": {"roots": list(manifest.roots), "remote": manifest.remote},
        **manifest.extra,
    }
    return _laid_out(document).encode("ascii")


def _laid_out(document: dict[str, Any]) -> str:
    """JSON with a line for each key of the first two levels and each item of a list, as ``cloud-export.sh`` reads it.

    Indenting all of it would cost ten times as much.
    """
    lines = []
    for key, value in document.items():
        ends, rows = "[]", [json.dumps(one) for one in value] if isinstance(value, list) else []
        if isinstance(value, dict):
            ends, rows = "{}", [f"{json.dumps(name)}: {json.dumps(item)}" for name, item in value.items()]
        inner = ",\n  ".join(rows)
        text = f"{ends[0]}\n  {inner}\n {ends[1]}" if inner else json.dumps(value)
        lines.append(f" {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


@functools.lru_cache(maxsize=2)  # each step of an import reads what it is given, and mostly that is the same
def read(data: bytes) -> Manifest:
    """Read a manifest, ours or a ``change/1`` one. Raises :class:`Refused` (``meta.*``, ``path.*``, ``text.*``)."""
    value = loads(data)
    if not isinstance(value, dict):
        raise refused("meta.type", "The manifest is not a JSON object")
    schema = value.get("schema")
    if schema == FOREIGN_SCHEMA:
        return _read_foreign(value)
    if schema != SCHEMA:
        raise Refused(
            "meta.schema",
            f"The manifest says schema {str(schema)[:60]!r}; this version reads {SCHEMA} and {FOREIGN_SCHEMA}.",
            "make the bundle with: ecluse export",
        )
    return _read_ours(value)


_OURS: dict[str, type | tuple[type, ...]] = {
    "schema": str, "export_timestamp": str, "export_date": str, "agent": str, "agent_details": dict, "git": dict,
    "patch": dict, "status": str, "change": dict, "base": dict, "head": dict, "target": str, "uncommitted": str,
    "note": str, "files": list, "not_carried": list, "validations": list, "payloads": list, "repository": dict,
    "generator": str, "omitted_payloads": list,
}  # fmt: skip
_NEEDED = ("change", "head", "payloads", "agent")


def _read_ours(value: dict[str, Any]) -> Manifest:
    _check_fields(value, _OURS, _NEEDED, "the manifest")
    change, base, head = value["change"], value.get("base", {}), value["head"]
    _check_fields(change, {"id": str, "revision": int, "title": str}, ("id", "revision"), "change")
    _check_fields(base, {"commit": str, "tree": str}, (), "base")
    _check_fields(head, {"commit": str, "tree": str}, ("commit", "tree"), "head")
    details = value.get("agent_details", {})
    _check_fields(details, dict.fromkeys(_AGENT, str), (), "agent_details")
    where = value.get("repository", {})
    _check_fields(where, {"roots": list, "remote": str}, (), "repository")
    for name in ("files", "not_carried", "validations"):
        if not all(isinstance(one, dict) for one in value.get(name, [])):
            raise refused("meta.type", f"Everything in {name} must be an object")
    found = Manifest(
        id=_matched(change["id"], ID, "meta.id", "change id"),
        revision=change["revision"],
        title=change.get("title", ""),
        agent=Agent(value["agent"], **details),
        base=_matched(base.get("commit", ""), _OID, "meta.base", "base", empty=True),
        base_tree=_matched(base.get("tree", ""), _OID, "meta.base", "base tree", empty=True),
        head=_matched(head["commit"], _OID, "meta.head", "head"),
        tree=_matched(head["tree"], _OID, "meta.head", "head tree"),
        target=value.get("target", ""),
        uncommitted=_matched(value.get("uncommitted", ""), _OID, "meta.head", "uncommitted tip", empty=True),
        note=value.get("note", ""),
        files=tuple(value.get("files", [])),
        not_carried=tuple(value.get("not_carried", [])),
        validations=tuple(value.get("validations", [])),
        payloads=tuple(_payload(one) for one in value["payloads"]),
        roots=tuple(_matched(str(one), _OID, "meta.type", "root") for one in where.get("roots", [])[:_ROOTS_CAP]),
        remote=where.get("remote", ""),
        branch=_branch(value.get("git", {})),
        stood_at=str(value.get("git", {}).get("last_commit", "")),
    )
    if not 1 <= found.revision <= 1_000_000:
        raise refused("meta.number", "The revision is not between 1 and 1,000,000")
    _check_payloads(found.payloads)
    for text in (found.title, found.target, found.agent.name, found.remote, *details.values()):
        _check_text(text)
    _check_text(found.note, multiline=True)
    return found


def _branch(git: dict[str, Any]) -> str:
    """The branch that the work was done on; these are keys of the first specification, and nothing rests on them."""
    said = git.get("branch", "")
    return clean(said) if isinstance(said, str) else ""


def _read_foreign(value: dict[str, Any]) -> Manifest:
    kinds: dict[str, type | tuple[type, ...]] = dict.fromkeys(
        ("schema", "change_id", "base_sha", "head_sha", "agent", "title", "created", "nonce", "payload",
         "payload_sha256"), str)  # fmt: skip
    kinds |= {"priority": int, "commits": int}
    _check_fields(
        value,
        kinds,
        ("change_id", "base_sha", "payload", "payload_sha256"),
        "the manifest",
    )
    name = value["payload"]
    if not 1 <= value.get("commits", 1) <= 1_000_000:
        raise refused("meta.number", "The number of commits is not between 1 and 1,000,000")
    if not _is_instant(value.get("created", "2000-01-01T00:00:00Z")):
        raise refused("meta.date", "The time of creation is no ISO 8601 instant, before 1970 or over a year ahead")
    if not _NONCE.match(value.get("nonce", "none")):
        raise refused("meta.nonce", "The nonce is not 1 to 128 letters, digits, `-` or `_`")
    for text in (value.get("title", ""), value.get("agent", ""), value["change_id"], name):
        _check_text(text)
    kind = "bundle" if name.endswith(".bundle") else "patch" if name.endswith((".patch", ".diff", ".mbox")) else "other"
    payload = Payload(
        kind, _payload_name(name), _matched(value["payload_sha256"], _SHA256, "meta.payload_sha", "digest")
    )
    return Manifest(
        id=_matched(value["change_id"], ID, "meta.id", "change id"),
        revision=1,
        title=value.get("title", ""),
        agent=Agent(value.get("agent", "")),
        base=_matched(value["base_sha"], _OID, "meta.base", "base"),
        head=_matched(value.get("head_sha", ""), _OID, "meta.head", "head", empty=True),
        tree="",
        payloads=(payload,),
        foreign=True,
        extra={name: value[name] for name in ("nonce", "commits") if name in value},
    )


def _is_instant(text: str) -> bool:
    if not _INSTANT.match(text):
        return False
    try:
        moment = datetime.fromisoformat(re.sub(r"\.\d+", "", text))
    except ValueError:
        return False
    return datetime(1970, 1, 1, tzinfo=UTC) <= moment <= now() + timedelta(days=366)


def _payload(one: Any) -> Payload:
    if not isinstance(one, dict):
        raise refused("meta.type", "A payload is not an object")
    _check_fields(
        one, {"kind": str, "name": str, "sha256": str, "size": int}, ("kind", "name", "sha256", "size"), "payload"
    )
    if one["kind"] not in KINDS or one["size"] < 0:
        raise refused("meta.type", f"A payload of kind {one['kind'][:20]!r} is not known here")
    return Payload(
        one["kind"],
        _payload_name(one["name"]),
        _matched(one["sha256"], _SHA256, "meta.payload_sha", "digest"),
        one["size"],
    )


def _payload_name(name: str) -> str:
    """A payload lies beside the manifest: its name has no path parts."""
    if not _NAME.match(name):
        code = "path.dotdot" if ".." in name else "path.payload"
        raise refused(code, f"The payload name {name[:80]!r} is not a plain file name")
    return name


def _check_payloads(payloads: tuple[Payload, ...]) -> None:
    if not payloads:
        raise refused("meta.type", "The manifest names no payload")
    if len({one.kind for one in payloads}) != len(payloads) or len({one.name for one in payloads}) != len(payloads):
        raise refused("meta.duplicate_key", "The manifest names a payload twice")


def _check_fields(value: Any, kinds: dict[str, type | tuple[type, ...]], needed: tuple[str, ...], where: str) -> None:
    if not isinstance(value, dict):
        raise refused("meta.type", f"{where} is not an object")
    for name, item in value.items():
        if name not in kinds:
            raise refused("meta.unknown_field", f"{where} holds the unknown field {name[:60]!r}")
        if not isinstance(item, kinds[name]) or isinstance(item, bool):
            raise refused("meta.type", f"{where}: {name} has the wrong type")
    for name in needed:
        if name not in value:
            raise refused("meta.type", f"{where} lacks {name}")


def _matched(text: str, shape: re.Pattern[str], code: str, what: str, *, empty: bool = False) -> str:
    if (empty and not text) or shape.match(text):
        return text
    raise refused(code, f"The {what} {text[:60]!r} is not well formed")


def _check_text(text: str, *, multiline: bool = False) -> None:
    found = (_UNSEEN_BUT_LINES if multiline else _UNSEEN).search(text)
    if found:
        raise refused("text.control_chars", f"The manifest's words hold the control character U+{ord(found[0]):04X}")
    if len(text) > (1 << 20 if multiline else 2000):
        raise refused("meta.size", "A text of the manifest is too long")


_DIRECTIONS = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_UNSEEN = expression(f"[\x00-\x1f\x7f-\x9f\ud800-\udfff{_DIRECTIONS}]")
_UNSEEN_BUT_LINES = expression(f"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff{_DIRECTIONS}]")


def clean(text: str, *, multiline: bool = False) -> str:
    """``text`` as a manifest may carry it: control and direction characters out, length capped."""
    normal = text.replace("\r\n", "\n").replace("\r", "\n")
    if not multiline:
        normal = normal.split("\n", 1)[0]
    kept = (_UNSEEN_BUT_LINES if multiline else _UNSEEN).sub(" ", normal)
    return kept[: (1 << 19) if multiline else 500].strip()
