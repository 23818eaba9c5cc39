#!/usr/bin/env python3
"""Hand over everything done in this checkout as one change bundle, with nothing installed but Python 3.8+ and git.

    python3 .sync/scripts/cloud-export.py [--agent NAME] [--task TEXT] [--base REV] [--note FILE|-] [--to DIR|FILE.tar|-]
                                          [--watch SECONDS]

Writes sync_cloud_TIME.{bundle,patch,json} and INSTRUCTIONS_TIME.txt: all commits since the base, and staged, unstaged
and untracked work as one marked commit on top. Index, HEAD and files stay untouched; secrets are never carried.
It is the bundle that `ecluse export` writes. Exit: 0 done; 1 failed; 2 wrong input or nothing to hand over;
3 something was left out and nobody accepted that; 4 refused (a secret); 5 a check is red.
"""

from __future__ import annotations

import argparse
import base64
import collections
import contextlib
import hashlib
import json
import math
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tarfile
import tempfile
import time
from datetime import datetime, timezone

VERSION = "cloud-export.py 1"
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
MARK = "Ecluse-Uncommitted: yes"
REF = "refs/heads/change"
FILE_CAP, PATCH_CAP, SCAN_CAP, LIST_CAP = 20 << 20, 64 << 20, 8 << 20, 500
QUIET = ("ignored", "own")
FIXED = (
    ("safe.directory", "*"), ("core.hooksPath", os.devnull), ("core.fsmonitor", "false"),
    ("core.attributesFile", os.devnull), ("core.quotePath", "false"), ("color.ui", "false"),
    ("core.safecrlf", "false"), ("core.splitIndex", "false"), ("diff.orderFile", os.devnull),
    ("commit.gpgSign", "false"), ("gc.auto", "0"), ("maintenance.auto", "false"), ("protocol.ext.allow", "never"),
    ("diff.noprefix", "false"), ("diff.mnemonicPrefix", "false"), ("diff.renames", "false"),
    ("submodule.recurse", "false"),
)  # fmt: skip


class Stop(Exception):
    """The export cannot be made: exit status, code, what happened and why, the next command."""

    def __init__(self, status, code, message, hint, **details):
        super().__init__(message)
        self.status, self.code, self.message, self.hint, self.details = status, code, message, hint, details


# -- git: nothing inherited steers it, nothing of the user's configuration is read unless asked for ---------------


def environment(user_config=False, **extra):
    env = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    env.update(LC_ALL="C.UTF-8", GIT_TERMINAL_PROMPT="0", GIT_OPTIONAL_LOCKS="0", GIT_EDITOR=":", GIT_PAGER="cat")
    if not user_config:
        env.update(GIT_CONFIG_NOSYSTEM="1", GIT_CONFIG_GLOBAL=os.devnull, GIT_ATTR_NOSYSTEM="1")
    env["GIT_CONFIG_COUNT"] = str(len(FIXED))
    for number, (key, value) in enumerate(FIXED):
        env["GIT_CONFIG_KEY_%d" % number], env["GIT_CONFIG_VALUE_%d" % number] = key, value
    env.update(extra)
    return env


def call(words, cwd, stdin=b"", check=True, user_config=False, **extra):
    """(exit status, bytes printed, bytes of complaint) of one git command."""
    try:
        done = subprocess.run(
            ["git"] + words, cwd=cwd, input=stdin, env=environment(user_config, **extra),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        if not os.path.isdir(cwd):
            raise Stop(2, "file.missing", "There is no folder %s." % cwd, "check the name with: ls") from None
        raise Stop(1, "git.missing", "There is no git on the PATH.", "install git, then type the same again") from None
    if check and done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        refuse_full(said)
        raise Stop(1, "git.failed", "git %s failed: %s" % (next(word for word in words if not word.startswith(("-", "/"))), said), "git fsck, then type the same again")
    return done.returncode, done.stdout, done.stderr


def refuse_full(said):
    """Stop when a full disk is what git complains of."""
    if "No space left" in said or "Out of diskspace" in said:
        hint = "make room, or name another folder with --to (and TMPDIR), then type the same again"
        raise Stop(1, "storage", "The disk is full: %s" % said, hint)


class Repo:
    """A repository, or the temporary one (bare) that borrows its objects."""

    def __init__(self, git_dir, common, top):
        self.git_dir, self.common, self.top = git_dir, common, top

    def run(self, *words, **options):
        place = ["--git-dir", self.git_dir] + (["--work-tree", self.top] if self.top else [])
        return call(place + list(words), self.top or self.git_dir, **options)

    def out(self, *words, **options):
        return self.run(*words, **options)[1]

    def text(self, *words, **options):
        return os.fsdecode(self.out(*words, **options)).rstrip("\n")

    def ask(self, *words, **options):
        """What is printed, or nothing when git says no."""
        status, said, _ = self.run(*words, check=False, **options)
        return os.fsdecode(said).rstrip("\n") if status == 0 else ""

    def resolve(self, revision, kind="commit"):
        found = self.ask("rev-parse", "--verify", "--quiet", "--end-of-options", "%s^{%s}" % (revision, kind))
        return found.split()[-1] if found.split() else ""

    def is_ancestor(self, older, newer):
        return self.run("merge-base", "--is-ancestor", "--end-of-options", older, newer, check=False)[0] == 0

    def changes(self, old, new):
        """(status, old mode, new mode, old id, new id, path) of every path that differs."""
        words = ("diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", "--end-of-options", old, new)
        fields = self.out(*words).split(b"\0")
        rows = []
        for head, path in zip(fields[0::2], fields[1::2]):
            old_mode, new_mode, old_id, new_id, status = head.decode("ascii").lstrip(":").split(" ")
            rows.append((status[0], old_mode, new_mode, old_id, new_id, path))
        return rows


def discover(folder):
    words = ["rev-parse", "--path-format=absolute", "--git-dir", "--git-common-dir", "--show-toplevel"]
    try:
        status, said, wrong = call(words, folder, check=False)
    except (NotADirectoryError, OSError):
        raise Stop(2, "file.missing", "There is no folder %s." % folder, "check the name with: ls") from None
    places = os.fsdecode(said).split("\n")
    if status or len(places) < 3 or not places[2]:
        why = wrong.decode("utf-8", "replace").strip()
        raise Stop(2, "repo.none", "There is no checkout to export from here: %s" % why, "cd to it, or use -C DIR")
    return Repo(*places[:3])


def borrow(repo, scratch):
    folder = os.path.join(scratch, "r")
    call(["init", "-q", "--template=", "--bare", folder], scratch)
    os.makedirs(os.path.join(folder, "objects", "info"), exist_ok=True)
    with open(os.path.join(folder, "objects", "info", "alternates"), "wb") as handle:
        handle.write(os.fsencode(os.path.join(repo.common, "objects")) + b"\n")
    if os.path.exists(os.path.join(repo.common, "shallow")):
        shutil.copyfile(os.path.join(repo.common, "shallow"), os.path.join(folder, "shallow"))
    return Repo(folder, folder, "")


# -- where the change starts, and which change it is -------------------------------------------------------------


def find_base(repo, head, asked):
    """(commit or nothing, how it was found, the branch it lay on)."""
    lines = repo.ask("log", "-g", "--format=%H %gs", "HEAD", "--").split("\n")
    log = [(line[:40], line[41:]) for line in lines if line]
    target = find_target(repo, log)
    if asked:
        found = repo.resolve(asked)
        common = repo.ask("merge-base", "--end-of-options", found, head).split() if found else []
        if not common:
            raise Stop(2, "export.base", "%r is no commit that HEAD comes from." % asked, "git log --oneline --graph")
        return common[0], "asked", target
    cloned = [oid for oid, words in log if words.startswith("clone:")]
    trunk = repo.ask("config", "--local", "--get", "ecluse.trunk")  # in a work tree of the repository that `init` saw
    trunk = "" if trunk == repo.ask("symbolic-ref", "--quiet", "--short", "HEAD") else trunk
    for how, revision in (
        ("recorded", repo.ask("config", "--local", "--get", "ecluse.base")),
        ("upstream", "@{upstream}"),
        ("trunk", "refs/heads/" + trunk if trunk else ""),
        ("origin/HEAD", "refs/remotes/origin/HEAD"),
        ("clone", cloned[-1] if cloned else ""),
        ("shallow", shallow_end(repo)),
    ):
        found = repo.resolve(revision) if revision else ""
        common = repo.ask("merge-base", "--end-of-options", found, head).split() if found else []
        if common:
            return common[0], how, trunk if how == "trunk" else target
    return "", "none: whole history", target


def find_target(repo, log):
    upstream = repo.ask("rev-parse", "--abbrev-ref", "--symbolic-full-name", "@{upstream}")
    if "/" in upstream and upstream != "@{upstream}":
        return upstream.partition("/")[2]
    for _, words in reversed(log):
        move = re.match(r"checkout: moving from (\S+) to ", words)
        if move:
            if repo.resolve("refs/heads/" + move.group(1)):
                return move.group(1)
            break
    return repo.ask("symbolic-ref", "--quiet", "--short", "HEAD")


def shallow_end(repo):
    try:
        with open(os.path.join(repo.common, "shallow"), encoding="ascii") as handle:
            return next((oid for oid in handle.read().split() if repo.is_ancestor(oid, "HEAD")), "")
    except OSError:
        return ""


PATIENCE = 10.0  # seconds that one holder may keep the turn; it is taken for the time of reading and writing one file


@contextlib.contextmanager
def alone(repo):
    """One export at a time gives itself a number: a folder is the lock, as each of the exporters can make one.

    The holder leaves a name in it. Who sees the very same names for ten seconds takes the holder for dead and makes the
    folder of the next heir in it, which only one can. Both look once more, and step back from a name that they did not
    expect. Where nothing can be written, there is no lock.
    """
    folder = os.path.join(repo.common, "ecluse", "exports.busy")
    mine = take_turn(folder)
    try:
        yield
    finally:
        if mine:
            end_turn(folder, mine)


def take_turn(folder):
    """The name that this export has left in the folder; none where no folder can be made."""
    seen, since, failed = [""], time.monotonic(), 0
    while failed < 5:
        try:
            os.makedirs(os.path.dirname(folder), exist_ok=True)
            os.mkdir(folder)
            return leave_name(folder, "by." + os.urandom(6).hex(), [])
        except FileExistsError:
            pass
        except OSError:
            failed += 1
        try:
            names = sorted(os.listdir(folder))
            if names != seen:
                seen, since = names, time.monotonic()
            elif time.monotonic() - since > PATIENCE:
                number = 1 + max([int(one[5:]) for one in names if one.startswith("heir.")] or [0])
                return leave_name(folder, "heir.%d" % number, names)
        except (FileExistsError, FileNotFoundError):
            pass  # another heir was faster, or the turn has ended
        except OSError:
            failed += 1
        time.sleep(0.02)
    return ""


def leave_name(folder, mine, expected):
    os.mkdir(os.path.join(folder, mine))
    if set(os.listdir(folder)) <= set(expected + [mine]):
        return mine
    os.rmdir(os.path.join(folder, mine))
    raise FileExistsError(folder)


def end_turn(folder, mine):
    """Take the own name back, as an heir also those of the dead before; a folder that is not empty has an heir."""
    with contextlib.suppress(OSError):
        names = os.listdir(folder) if mine.startswith("heir.") else []
        dead = [one for one in names if one.startswith("by.") or (one.startswith("heir.") and int(one[5:]) < int(mine[5:]))]
        for name in dead + [mine]:
            os.rmdir(os.path.join(folder, name))
        os.rmdir(folder)


def next_revision(repo, branch, base, head, outputs):
    """(change id, revision), kept in .git/ecluse/exports.json; where that cannot be, earlier manifests are asked."""
    path = os.path.join(repo.common, "ecluse", "exports.json")
    try:
        with open(path, "rb") as handle:
            kept = json.loads(handle.read().decode("utf-8"))
        kept = kept if isinstance(kept, dict) else {}
    except (OSError, ValueError):
        kept = {}
    last = kept.get(branch) or last_output(outputs, branch)
    landed = last and base and repo.resolve(last.get("head", "")) and repo.is_ancestor(last["head"], base)
    name, number = (str(last["id"]), int(last["revision"]) + 1) if last and not landed else (new_id(), 1)
    kept[branch] = {"id": name, "revision": number, "head": head, "base": base}
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write_whole(path, json.dumps(kept, indent=1).encode("ascii"))
    except OSError:
        pass  # a read-only .git: the earlier manifests are the memory then
    return name, number


def last_output(folder, branch):
    newest = None
    names = sorted(os.listdir(folder)) if folder and os.path.isdir(folder) else []
    for name in [one for one in names if re.match(r"sync_cloud_.*\.json$", one)][-50:]:
        try:
            with open(os.path.join(folder, name), "rb") as handle:
                said = json.loads(handle.read().decode("utf-8"))
            if said["git"]["branch"] == branch:
                one = {
                    "id": said["change"]["id"],
                    "revision": said["change"]["revision"],
                    "head": said["head"]["commit"],
                    "base": said["base"]["commit"],
                }
                if newest is None or one["revision"] >= newest["revision"] or one["id"] != newest["id"]:
                    newest = one
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return newest


def new_id():
    alphabet, left, word = "0123456789abcdefghjkmnpqrstvwxyz", int(time.time() * 1000), ""
    for _ in range(8):
        word, left = alphabet[left & 31] + word, left >> 5
    return "chg-" + word + "".join(alphabet[byte & 31] for byte in os.urandom(4))


# -- what must not travel ----------------------------------------------------------------------------------------

PROVIDERS = [(rule, re.compile(shape)) for rule, shape in (
    ("aws-access-key-id", rb"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
    ("github-token", rb"\bgh[pousr]_[A-Za-z0-9]{36,251}\b|\bgithub_pat_[A-Za-z0-9_]{22,255}\b"),
    ("gitlab-token", rb"\bgl(?:pat|dt|rt)-[A-Za-z0-9_-]{20,}"),
    ("slack-token", rb"\bxox[bpars]-[A-Za-z0-9-]{20,}"),
    ("slack-webhook", rb"hooks\.slack\.com/services/T[A-Z0-9]{6,}/B[A-Z0-9]{6,}/[A-Za-z0-9]{16,}"),
    ("stripe-key", rb"\b[sr]k_live_[A-Za-z0-9]{16,}"),
    ("anthropic-key", rb"\bsk-ant-[A-Za-z0-9_-]{24,}"),
    ("openai-key", rb"\bsk-(?:proj-|svcacct-|admin-)[A-Za-z0-9_-]{24,}|\bsk-[A-Za-z0-9]{40,}\b"),
    ("google-api-key", rb"\bAIza[A-Za-z0-9_-]{35}|\bGOCSPX-[A-Za-z0-9_-]{24,}"),
    ("npm-token", rb"\bnpm_[A-Za-z0-9]{36}\b"),
    ("pypi-token", rb"\bpypi-AgE[A-Za-z0-9_-]{50,}"),
    ("jwt", rb"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{16,}"),
    ("private-key", rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----[\\nr\s]*(?:[A-Za-z-]+: [^\n]*\n)*\s*[A-Za-z0-9+/=]{32,}"),
    ("url-password", rb"\b[a-z][a-z0-9+.-]*://[^\s:/@'\"<>${}]+:(?![A-Za-z]+[0-9]{0,3}@(?:127\.0\.0\.1|[A-Za-z0-9_-]+)(?![A-Za-z0-9_.-]))(?P<value>[^\s:/@'\"<>${}]{8,})@[A-Za-z0-9]"),
)]  # fmt: skip
ASSIGNMENT = re.compile(
    rb"(?P<name>[A-Za-z0-9_.-]*(?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key"
    rb"|credential|auth[_-]?key)[A-Za-z0-9_-]*)[\"']?\]?\s*(?::=|=>|=|:)\s*"
    rb"(?:(?P<quote>[\"'`])(?P<quoted>[^\"'`\r\n]{8,400})(?P=quote)|(?P<bare>[^\s\"'`,;(){}\[\]<>]{16,400}))", re.I)  # fmt: skip
PLACEHOLDER = re.compile(
    rb"example|sample|dummy|placeholder|change.?me|your[_-]|xxxx|redacted|todo|insert|replace|not.?a.?secret|fake"
    rb"|^\$|\$\{|\{\{|%\(|^<|\*\*\*|\.\.\.|environ|getenv|process\.env|secrets\.|vault|^sha(?:1|256|512)[:-]|^https?:", re.I)  # fmt: skip
WORDS = re.compile(rb"^[A-Za-z]+(?:[ ._/:-][A-Za-z]+)*[0-9]{0,4}$")
LOCK_FILE = re.compile(rb"(?:^|/)(?:[^/]*\.lock|[^/]*-lock\.(?:json|yaml)|go\.sum|npm-shrinkwrap\.json)$")
NAMES = re.compile(rb"password|passwd|pwd|secret|token|api[_-]?key|access_?key|private_?key|credential|auth_key", re.I)


WIDE = [(step, re.compile(shape)) for step, shape in (
    (2, rb"(?:[\t\n\r -~]\0){8,}"), (2, rb"(?:\0[\t\n\r -~]){8,}"),
    (4, rb"(?:[\t\n\r -~]\0{3}){8,}"), (4, rb"(?:\0{3}[\t\n\r -~]){8,}"),
)]  # fmt: skip


def scan(data, path=b""):
    """(rule, line, value) of everything shaped like a secret, in UTF-16 and UTF-32 too; the value never leaves this file."""
    lock = LOCK_FILE.search(path)
    raw = list(searched(data, b"\0" not in data[:8192] and not lock))
    if b"\0" in data:
        assigns = not lock and is_wide_text(data)
        raw += {
            (match.start() + step * at, rule, value)
            for step, shape in WIDE
            for match in shape.finditer(data)
            for at, rule, value in searched(match.group().replace(b"\0", b""), assigns)
        }
    return [(rule, data.count(b"\n", 0, at) + 1, value) for at, rule, value in sorted(raw)]


def searched(data, assigns):
    taken = []
    for rule, shape in PROVIDERS:
        for match in shape.finditer(data):
            if not PLACEHOLDER.search(match.groupdict().get("value") or match.group()):
                taken.append(match.span())
                yield match.start(), rule, match.group()
    for match in ASSIGNMENT.finditer(data) if assigns and NAMES.search(data) else ():
        value = match.group("quoted") or match.group("bare")
        at = match.start("quoted" if match.group("quoted") else "bare")
        called = match.group("bare") and data[match.end() : match.end() + 1] == b"(" and re.match(rb"[A-Za-z_][\w.]*\Z", value)
        if not called and not any(start < at + len(value) and at < end for start, end in taken):
            rule = judge_value(match.group("name").lower(), value, bool(match.group("quote")))
            if rule:
                yield at, rule, value


def is_wide_text(data):
    if data.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")):
        return True
    for step in (2, 4):
        sample = data[: 8192 - 8192 % step]
        lanes = sorted(sample[at::step].count(0) for at in range(step))
        if not lanes[0] and lanes[1] > 0.9 * (len(sample) // step):
            return True
    return False


def judge_value(name, value, quoted):
    if PLACEHOLDER.search(value) or WORDS.match(value):
        return ""
    if re.search(rb"aws_?(?:secret)?_?(?:access)?_?(?:secret)?_?key$", name) and re.match(
        rb"[A-Za-z0-9/+=]{40}$", value
    ):
        return "aws-secret-key"
    if not re.match(rb"[\x21-\x7e]+\Z", value):
        return ""
    counts = collections.Counter(value).values()
    entropy = -sum(n / len(value) * math.log2(n / len(value)) for n in counts)
    if quoted and re.search(rb"password|passwd|pwd", name):
        classes = sum(bool(re.search(kind, value)) for kind in (rb"[a-z]", rb"[A-Z]", rb"[0-9]", rb"[^A-Za-z0-9]"))
        return "password-assignment" if len(value) >= 10 and classes >= 3 and entropy >= 3.0 else ""
    if not quoted and re.match(rb"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+\Z", value):
        return ""
    if not (re.search(rb"[0-9]", value) and re.search(rb"[A-Za-z]", value)):
        return ""
    if re.search(rb"[(){}\[\]<>]|::|->|\.\w+\.", value) or (value.count(b"/") > 3 and b"+" not in value):
        return ""
    return "secret-assignment" if len(value) >= 16 and entropy >= 3.4 else ""


SOURCE = set(
    "py pyi js mjs ts tsx jsx go rs java kt c h cc cpp cs rb php swift scala sh md rst html css sql proto".split()
)
NAMED = set(
    ".netrc _netrc .git-credentials .pgpass .pypirc .htpasswd .dockercfg .my.cnf .s3cfg credentials credentials.json "
    "credentials.yml credentials.yaml credentials.ini credentials.toml secrets.yml secrets.yaml secrets.json secrets.toml "
    "secrets.ini secrets.env master.key client_secret.json id_rsa id_dsa id_ecdsa id_ed25519".split())  # fmt: skip
KEYS = set("p12 pfx jks keystore kdbx ppk tfstate key".split())
HARMLESS = re.compile(r"(?:example|sample|template|dist|default|defaults|test|schema)$")


def sensitive(path):
    """The rule by which a file of this name holds secrets, or nothing."""
    parts = path.decode("utf-8", "surrogateescape").lower().split("/")
    name, folders = parts[-1], parts[:-1]
    stem, _, suffix = name.rpartition(".")
    if (name.startswith(".env") and name != ".envrc") or (suffix == "env" and stem):
        return "" if any(HARMLESS.search(word) for word in name.split(".") if word != "env") else "env-file"
    if name in NAMED:
        return "credential-file"
    if suffix in KEYS and stem:
        return "key-file"
    for folder in folders:
        if folder in (".ssh", ".gnupg"):
            return folder[1:] + "-folder"
        if folder in ("secrets", ".secrets") and suffix not in SOURCE:
            return "secrets-folder"
    pair = tuple(parts[-2:])
    return (
        "credential-file" if pair in ((".aws", "credentials"), (".docker", "config.json"), (".kube", "config")) else ""
    )


def refuse_secrets(repo, commits, changes):
    """Stop when a secret is in the result, in a commit on the way to it, or in a message."""
    found, every = {}, list(changes) + commit_changes(repo, [commit["id"] for commit in commits])
    for commit in commits:
        for rule, line, _ in scan(commit["message"]):
            text = "the message of commit %s, line %d: %s" % (commit["id"][:12], line, rule)
            found[text] = {"code": "secret.in_message", "path": "", "line": line, "message": text}
    new = {}
    for change in every:
        status, old_mode, mode, old, oid, path = change
        rule = sensitive(path) if status != "D" and mode.startswith("100") else ""
        if rule:
            text = "%s is a file that holds secrets: %s" % (shown(path), rule)
            found[text] = {"code": "secret.file", "path": shown(path), "line": 0, "message": text}
        if status != "D" and mode in ("100644", "100755", "120000"):
            new.setdefault(oid, (old if old_mode.startswith("100") else "", path))
    for oid, data in read_blobs(repo, new):
        hits = scan(data, new[oid][1])
        before = repo.run("cat-file", "blob", new[oid][0], check=False)[1] if hits and new[oid][0] else b""
        thin = before.replace(b"\0", b"")
        for rule, line, value in hits:
            if value not in before and value not in thin:
                text = "%s line %d: %s" % (shown(new[oid][1]), line, rule)
                found[text] = {"code": "secret.found", "path": shown(new[oid][1]), "line": line, "message": text}
    if found:
        rows = list(found.values())[:50]
        where = "; ".join(row["message"] for row in rows[:5]) + (" (and more)" if len(rows) > 5 else "")
        raise Stop(
            4, "secret.found",
            "Nothing was exported, because it holds what looks like a secret: %s. The value is not shown." % where,
            "take it out of the file and of the commits (git reset --soft BASE, edit, commit again), then export again",
            findings=rows,
        )  # fmt: skip


def commit_changes(repo, oids):
    """What each commit changed against its parent; of a merge only what differs from all its parents."""
    words = ("diff-tree", "--stdin", "-r", "-c", "--root", "-z", "--raw", "--no-renames", "--no-abbrev")
    fields, rows = iter(repo.out(*words, stdin="".join(o + "\n" for o in oids).encode()).split(b"\0")), []
    for word in fields:
        if word.startswith(b":"):
            facts = word.decode("ascii").lstrip(":").split(" ")
            parents = len(facts) // 2 - 1
            modes, ids = facts[: parents + 1], facts[parents + 1 : -1]
            rows.append((facts[-1][0], modes[0], modes[-1], ids[0], ids[-1], next(fields)))
    return rows


def read_blobs(repo, oids, cap=SCAN_CAP):
    """(id, bytes) of the blobs up to the cap, a few at a time so that memory stays small."""
    wanted = list(oids)
    sizes = repo.out(
        "cat-file", "--batch-check=%(objectsize) %(objecttype)", stdin="".join(o + "\n" for o in wanted).encode()
    )
    batch, total = [], 0
    rows = list(zip(wanted, sizes.decode("ascii", "replace").split("\n")))
    for number, (oid, row) in enumerate(rows):
        size, _, kind = row.partition(" ")
        if kind == "blob" and int(size) <= cap:
            batch.append(oid)
            total += int(size)
        if batch and (total > cap or len(batch) >= 500 or number == len(rows) - 1):
            data, at = repo.out("cat-file", "--batch", stdin="".join(o + "\n" for o in batch).encode()), 0
            for _ in batch:
                end = data.index(b"\n", at)
                name, _, length = data[at:end].decode("ascii").split(" ")
                yield name, data[end + 1 : end + 1 + int(length)]
                at = end + 2 + int(length)
            batch, total = [], 0


# -- the uncommitted work as one commit, made beside the repository ------------------------------------------------

OWN = re.compile(
    rb"(?:^|/)(?:sync_cloud_\d{8}_\d{6}(?:_\d+)?\.(?:json|bundle|patch|tar|json\.sig)|INSTRUCTIONS_\d{8}_\d{6}(?:_\d+)?\.txt"
    rb"|(?:sync-session-summary|agent-handoff|checklist-pre-sync)_\d{8}_\d{6}(?:_\d+)?\.md)$"
    rb"|(?:^|/)logs/(?:ex|im)port_\d{8}_\d{6}(?:_\w+)?\.log$|(?:^|/)\.export-[^/]+/|^\.sync/(?:patches|logs)/|^\.sync/sync_history\.|^reports/report\.json$|^memory/(?:ci_report_[^/]*\.json|session\.log)$"
)


SUBMODULE = "only its commit id is carried, not its content"
STILL = "what lies here is carried, commits that are still to come are not"
UNFINISHED = {  # what git keeps of work that it was stopped in: the change would be less than the work
    "MERGE_HEAD": ("unfinished merge", "what lies here is carried, that it comes from another branch too is not"),
    "rebase-merge": ("unfinished rebase", STILL),
    "rebase-apply": ("unfinished rebase", STILL),
}


class Snapshot:
    """What the checkout holds beyond HEAD. ``commit`` is empty when that is nothing."""

    def __init__(self, repo, temporary, head, who):
        self.repo, self.top = repo, os.fsencode(repo.top)
        self.tracked, self.untracked, self.left, self.unfit, self.commit = {}, [], [], [], ""
        self.env = {
            "GIT_INDEX_FILE": os.path.join(temporary.git_dir, "index-aside"),
            "GIT_OBJECT_DIRECTORY": os.path.join(temporary.git_dir, "objects"),
        }
        self.settings = self.user_settings()
        self.copy_index(head)
        self.survey()
        for name in sorted(UNFINISHED):
            if os.path.exists(os.path.join(repo.git_dir, name)):
                self.leave(name.encode(), *UNFINISHED[name])
        self.sift()
        self.store(self.settings, list(self.tracked))
        self.store(self.settings + ["-c", "core.autocrlf=false"], list(self.untracked))
        self.put_back(head)
        tree = repo.text("write-tree", "--missing-ok", **self.env)
        self.origins = {}
        if tree != repo.resolve(head, "tree"):
            self.origins = {**self.tracked, **{path: "untracked" for path in self.untracked}}
            message = "Uncommitted work\n\nStaged, unstaged and untracked files as they were at the export.\n\n" + MARK
            when = "%d +0000" % self.moment(head)
            people = {}
            for role in ("AUTHOR", "COMMITTER"):
                people.update({"GIT_%s_NAME" % role: who[0], "GIT_%s_EMAIL" % role: who[1], "GIT_%s_DATE" % role: when})
            self.commit = temporary.text("commit-tree", "-p", head, tree, stdin=(message + "\n").encode(), **people)

    def leave(self, path, reason, detail=""):
        row = {"path": shown(path), "reason": reason}
        self.left.append(dict(row, detail=detail) if detail else row)

    def user_settings(self):
        """What of the user's configuration says what counts as a difference; nothing else of it is read."""
        asked = self.repo.ask(
            "config", "--null", "--get-regexp", r"^core\.(autocrlf|eol|excludesfile)$", user_config=True
        )
        words = []
        for item in asked.split("\0"):
            key, newline, value = item.partition("\n")
            if newline:
                words += ["-c", "%s=%s" % (key, os.path.expanduser(value) if key == "core.excludesfile" else value)]
        return words

    def copy_index(self, head):
        real = os.path.join(self.repo.git_dir, "index")
        if os.path.exists(real):
            shutil.copy2(real, self.env["GIT_INDEX_FILE"])  # with its time: git distrusts entries as young as the index
        else:
            self.repo.run("read-tree", head, **self.env)
        listed = self.repo.out("ls-files", "-v", "-z", **self.env).split(b"\0")
        hidden = [line[2:] for line in listed if line[:1].islower()]
        skipped = [line[2:] for line in listed if line[:1] in (b"S", b"s")]  # those of a sparse checkout are not there
        skipped = [path for path in skipped if os.path.lexists(os.path.join(self.top, path))]
        for option, paths in (("--no-assume-unchanged", hidden), ("--no-skip-worktree", skipped)):
            names = b"".join(path + b"\0" for path in paths)
            if names:
                self.repo.run("update-index", option, "-z", "--stdin", stdin=names, **self.env)

    def survey(self):
        words = ("status", "--porcelain=v2", "-z", "--untracked-files=all", "--ignored=matching", "--no-renames")
        _, listed, said = self.repo.run(*self.settings, *words, "--ignore-submodules=none", **self.env)
        ignored = 0
        for name in re.findall(rb"^warning: could not open directory '(.+)': ", said, re.M):
            self.leave(name, "unreadable", "no permission to read it")
        for line in listed.split(b"\0"):
            path = line[2:]
            if line.startswith(b"1 "):
                fields = line.split(b" ", 8)
                self.note_changed(fields[1].decode(), fields[2].decode(), fields[8])
            elif line.startswith(b"u "):
                path = line.split(b" ", 10)[10]
                self.tracked[path] = "unmerged"
                self.leave(path, "unmerged", "carried as it lies in the checkout; the other side is not")
            elif line.startswith(b"? ") and path.endswith(b"/"):
                self.leave(path, "nested repository", "a repository of its own; export it from inside")
            elif line.startswith(b"? ") and OWN.search(path):
                self.leave(path, "own")
            elif line.startswith(b"? "):
                self.untracked.append(path)
            elif line.startswith(b"! "):
                ignored += 1
                if ignored <= LIST_CAP:
                    self.leave(path, "own" if OWN.search(path) else "ignored")
        if ignored > LIST_CAP:
            self.leave(b"", "ignored", "and %d more ignored paths" % (ignored - LIST_CAP))

    def note_changed(self, states, submodule, path):
        if submodule.startswith("S"):
            self.leave(path, "submodule", SUBMODULE)
            if states == ".M" and submodule[1] != "C":
                return
        words = [word for state, word in zip(states, ("staged", "unstaged")) if state != "."]
        self.tracked[path] = "+".join(words)

    def sift(self):
        kept = []
        for path in self.untracked:
            try:
                reason = self.reason(path)
            except (FileNotFoundError, NotADirectoryError):
                continue  # gone since git listed it: something is at work here
            if reason:
                self.leave(path, *reason)
            else:
                kept.append(path)
        self.untracked = kept
        for path in list(self.tracked):
            obstacle = self.obstacle(path)
            if obstacle:
                self.leave(path, *obstacle)
                del self.tracked[path]
                self.unfit.append(path)

    def reason(self, path):
        """Why an untracked file stays here, if it does."""
        full, rule = os.path.join(self.top, path), sensitive(path)
        if path.rpartition(b"/")[2].lower() == b".envrc":  # a committed one travels: a person looks at it there
            rule = "env-file"
        obstacle = ("sensitive", rule) if rule else self.obstacle(path)
        if obstacle or os.path.islink(full):
            return obstacle
        with open(full, "rb") as handle:
            data = handle.read()
        if path.endswith(b".tar") and re.match(rb"sync_cloud_\d{8}_\d{6}(?:_\d+)?\.json\0", data[:100]):
            return ("own",)
        hits = scan(data, path)
        return ("sensitive", "line %d: %s" % (hits[0][1], hits[0][0])) if hits else None

    def obstacle(self, path):
        full = os.path.join(self.top, path)
        try:
            found = os.lstat(full)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not stat.S_ISREG(found.st_mode):
            return None
        size = found.st_size
        if size > FILE_CAP:
            return "too large", "{:,} bytes, the cap is {:,}".format(size, FILE_CAP)
        if os.access(full, os.R_OK) or not os.path.lexists(full) or os.access(full, os.R_OK):
            return None  # readable, or gone since, or back again
        return "unreadable", "no permission to read it"

    def store(self, settings, paths):
        words = settings + ["update-index", "--add", "--remove", "--replace", "-z", "--stdin"]
        every = b"".join(path + b"\0" for path in paths)
        if not paths or self.repo.run(*words, stdin=every, check=False, **self.env)[0] == 0:
            return
        for path in paths:  # one of them cannot be stored: find out which, keep the others
            status, _, said = self.repo.run(*words, stdin=path + b"\0", check=False, **self.env)
            if status and not os.path.lexists(os.path.join(self.top, path)):  # it went while git looked at it
                status, _, said = self.repo.run(*words, stdin=path + b"\0", check=False, **self.env)
            if status and self.gave_way(path):
                self.repo.run("update-index", "--force-remove", "-z", "--stdin", stdin=path + b"\0", **self.env)
            elif status:
                refuse_full(said.decode("utf-8", "replace"))
                self.leave(path, "not storable", (said.decode("utf-8", "replace").strip().splitlines() or [""])[0])
                self.tracked.pop(path, None)
                if path in self.untracked:
                    self.untracked.remove(path)
                self.unfit.append(path)

    def gave_way(self, path):
        """Whether a tracked file is gone because a plain folder took its place, or a link that of a folder above it."""
        full, above = os.path.join(self.top, path), os.path.dirname(path)
        if os.path.isdir(full) and not os.path.islink(full) and not os.path.exists(os.path.join(full, b".git")):
            return True
        while above and not os.path.islink(os.path.join(self.top, above)):
            above = os.path.dirname(above)
        return bool(above)

    def put_back(self, head):
        """Give paths that are not carried what HEAD has there: something of them may have been staged."""
        if self.unfit:
            rows = self.repo.out("ls-tree", "-r", "-z", "--full-tree", head).split(b"\0")
            there = {row.partition(b"\t")[2]: row for row in rows}
            lines = [there.get(path, b"0 " + b"0" * 40 + b"\t" + path) + b"\0" for path in self.unfit]
            self.repo.run("update-index", "-z", "--index-info", stdin=b"".join(lines), **self.env)

    def moment(self, head):
        """The newest change among the files, not before HEAD nor ahead of the clock: the same for the same work."""
        moments = [int(self.repo.text("log", "-1", "--format=%ct", "--end-of-options", head))]
        for path in self.origins:
            try:
                moments.append(int(os.lstat(os.path.join(self.top, path)).st_mtime))
            except OSError:
                continue  # deleted
        return max(moments[:1] + [one for one in moments if one <= time.time()])


# -- words -------------------------------------------------------------------------------------------------------

BIDI = {0x061C, 0x200E, 0x200F} | set(range(0x202A, 0x202F)) | set(range(0x2066, 0x206A))


def clean(text, lines=False):
    """Text as a manifest may carry it: control and direction characters out, length capped."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = text if lines else text.split("\n", 1)[0]
    kept = []
    for c in text:
        n = ord(c)
        bad = n < 32 or 127 <= n < 160 or 0xD800 <= n < 0xE000 or n in BIDI
        kept.append(" " if bad and not (lines and c in "\n\t") else c)
    return "".join(kept)[: (1 << 19) if lines else 500].strip()


def shown(path):
    text = path.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() and ord(c) not in BIDI else ascii(c)[1:-1] for c in text)


def names_somebody(name):
    """Whether git takes it for somebody's name: it is more than blanks and the marks that git cuts off."""
    return bool(name.strip("".join(map(chr, range(33))) + ".,:;<>\"\\'"))


def in_utf8(text):
    return text if text.isascii() else os.fsencode(text).decode("utf-8", "replace")


# -- checks ------------------------------------------------------------------------------------------------------

CHILD = """
import ast, json, sys, warnings
warnings.simplefilter("ignore")
source, wrong, number = sys.stdin.buffer, [], 0
while True:
    head = source.read(8)
    if len(head) < 8:
        break
    data = source.read(int.from_bytes(head, "big"))
    try:
        compile(data, "change", "exec", flags=ast.PyCF_ONLY_AST, dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        wrong.append([number, getattr(error, "lineno", 0) or 0, str(getattr(error, "msg", "") or type(error).__name__)])
    number += 1
json.dump(wrong, sys.stdout)
"""


JS_LOCKS = [("pnpm-lock.yaml", "pnpm"), ("yarn.lock", "yarn"), ("package-lock.json", "npm"), ("npm-shrinkwrap.json", "npm")]
INSTALL = {"npm": "npm ci", "pnpm": "pnpm install --frozen-lockfile", "yarn": "yarn install --immutable"}
BUILD_S = 900


def validate(repo, changes, tree, tip, work, scratch):
    """The checks of the level `minimal`; what cannot be checked here is listed with the reason."""
    count = collections.Counter(work.origins.values()) if work.commit else {}
    words = ["%d %s" % (count[word], word) for word in sorted(count)]
    left = sum(one["reason"] not in QUIET for one in work.left)
    words += ["%d left out" % left] if left else []
    rows = [python_syntax(repo, changes, tree), check_row("git-status", "success", ", ".join(words) or "clean", 0.0, tree)]
    if repo.out("ls-tree", tip, "--", "package.json"):
        began = time.monotonic()
        result, detail = build(repo, tip, os.fsdecode(work.top), os.path.join(scratch, "tree"))
        rows.append(check_row("build", result, detail, round((time.monotonic() - began) * 1000, 1), tree))
    return rows


def build(repo, tip, top, folder):
    """(result, detail) of the build of package.json, on a clean copy of the tree and never in the checkout."""
    os.makedirs(folder)
    index = os.path.join(repo.git_dir, "index-build")
    repo.run("read-tree", tip, GIT_INDEX_FILE=index)
    copy = ["--git-dir", repo.git_dir, "--work-tree", folder, "checkout-index", "-a"]
    call(copy, folder, GIT_INDEX_FILE=index)
    try:
        with open(os.path.join(folder, "package.json"), "rb") as handle:
            package = json.loads(handle.read(4 << 20).decode("utf-8"))
        scripts = package.get("scripts")
    except (OSError, ValueError, RecursionError, AttributeError) as error:
        return "failure", "package.json cannot be read: %s" % error
    if not isinstance(scripts, dict) or not scripts.get("build"):
        return "skipped", "package.json names no script `build`"
    lock = [(name, who) for name, who in JS_LOCKS if os.path.isfile(os.path.join(folder, name))][:1]
    named = str(package.get("packageManager", "")).partition("@")[0]
    manager = named if named in INSTALL else lock[0][1] if lock else "npm"
    if shutil.which(manager) is None:
        return "skipped", "not checked: %s is not on this machine" % manager
    if any(package.get(kind) for kind in ("dependencies", "devDependencies", "optionalDependencies")):
        names = ["package.json"] + [name for name, _ in lock]
        modules = os.path.join(top, "node_modules")
        if not os.path.isdir(modules) or not all(same_file(os.path.join(top, n), os.path.join(folder, n)) for n in names):
            why = "its dependencies are not installed in the checkout for exactly this package.json and lock file"
            return "skipped", "not checked: %s; type: %s" % (why, INSTALL[manager])
        shutil.copytree(modules, os.path.join(folder, "node_modules"), symlinks=True)
    env = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "ECLUSE_"))}
    words = [shutil.which(manager), "run", "build"]
    try:
        done = subprocess.run(
            words, cwd=folder, env=dict(env, CI="1", NO_COLOR="1"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=BUILD_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "failure", "build did not end within %d s (%s run build)" % (BUILD_S, manager)
    if done.returncode == 0:
        return "success", "(%s run build)" % manager
    lines = [line[:400] for line in done.stdout.splitlines()[-25:] if not scan(line)]
    said = clean("\n".join(line.decode("utf-8", "replace") for line in lines), lines=True)
    return "failure", ("build ended with status %d (%s run build)\n%s" % (done.returncode, manager, said))[:6000]


def same_file(one, other):
    try:
        with open(one, "rb") as first, open(other, "rb") as second:
            return first.read() == second.read()
    except OSError:
        return False


def check_row(name, result, detail, spent, tree):
    row = {"name": name, "level": "minimal", "result": result, "detail": detail, "duration_ms": spent}
    return dict(row, tree=tree)


def python_syntax(repo, changes, tree):
    began, wanted = time.monotonic(), {}
    for status, _, mode, _, oid, path in changes:
        if status != "D" and path.endswith((b".py", b".pyi")) and mode in ("100644", "100755"):
            wanted[oid] = path
    result, detail = "skipped", "no Python file changed"
    if wanted:
        paths, fed = [], []
        for oid, data in read_blobs(repo, wanted, 4 << 20):
            paths.append(wanted[oid])
            fed.append(len(data).to_bytes(8, "big") + data)
        words = [sys.executable, "-I", "-S", "-c", CHILD]
        try:
            done = subprocess.run(
                words, input=b"".join(fed), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60
            )
            wrong = json.loads(done.stdout.decode()) if done.returncode == 0 else [[0, 0, "the parser could not cope"]]
        except subprocess.TimeoutExpired:
            wrong = [[0, 0, "the parser did not end within 60 s"]]
        detail = "; ".join("%s:%d: %s" % (shown(paths[n]), line, why) for n, line, why in wrong[:10])
        result = "failure" if wrong else "success"
        if wrong and sys.version_info < (3, 11):  # this Python may be older than the language of the files
            result, detail = (
                "skipped",
                "Python %d.%d cannot tell; judged at import: %s" % (*sys.version_info[:2], detail),
            )
        detail = detail or "%d Python file%s" % (len(paths), "" if len(paths) == 1 else "s")
    spent = round((time.monotonic() - began) * 1000, 1)
    return check_row("python-syntax", result, detail, spent, tree)


# -- publication: written aside, renamed into place, the manifest last ---------------------------------------------


def write_whole(path, data):
    aside = "%s.%d.part" % (path, os.getpid())
    try:
        with open(aside, "wb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(aside, path)
    finally:
        if os.path.exists(aside):
            os.unlink(aside)


def own_folder(folder):
    """Make a folder of ours, which git is to leave alone."""
    if not os.path.isdir(folder):
        os.makedirs(folder, exist_ok=True)
        write_whole(os.path.join(folder, ".gitignore"), b"*\n")


def claim(folder, before, after):
    """A stamp that no other export has: the file is made at once, or another number is tried."""
    base = time.strftime("%Y%m%d_%H%M%S")
    for number in range(1, 10000):
        stamp = base if number == 1 else "%s_%d" % (base, number)
        path = os.path.join(folder, before + stamp + after)
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
            return stamp, path
        except FileExistsError:
            continue
    raise Stop(2, "export.to", "%s is full of exports of this second." % folder, "name another folder with --to")


def digest(path):
    told = hashlib.sha256()
    with open(path, "rb") as handle:
        for chunk in iter(lambda: handle.read(1 << 20), b""):
            told.update(chunk)
    return told.hexdigest()


def write_payloads(repo, base, tip, aside, stem, partial):
    """The payloads' descriptions, and those that were left out: too large, or a partial clone lacks what they need."""
    names = {kind: os.path.join(aside, "%s.%s" % (stem, kind)) for kind in ("bundle", "patch")}
    repo.run("update-ref", REF, tip)
    repo.run("bundle", "create", "-q", "--version=2", names["bundle"], *(["^" + base] if base else []), REF)
    status = repo.run(
        "diff-tree", "-r", "-p", "--binary", "--full-index", "--no-renames", "--no-color", "--no-ext-diff",
        "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/", "--output=" + names["patch"], base or EMPTY_TREE, tip,
        check=not partial,
    )[0]  # fmt: skip
    size, omitted = os.path.getsize(names["patch"]), []
    if status:
        os.unlink(names.pop("patch"))
        omitted = [{"kind": "patch", "reason": "objects missing", "size": 0}]
    elif size > PATCH_CAP:
        os.unlink(names.pop("patch"))
        omitted = [{"kind": "patch", "reason": "too large", "size": size}]
    payloads = [
        {"kind": kind, "name": os.path.basename(path), "sha256": digest(path), "size": os.path.getsize(path)}
        for kind, path in names.items()
    ]
    return payloads, omitted


def instructions(said, stamp, what, data):
    change, base = said["change"], said["base"]["commit"]
    rows = [{"name": "sync_cloud_%s.json" % stamp, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}]
    lines = ["Change %s, revision %d: %s" % (change["id"], change["revision"], change["title"])]
    lines += ["by %s, %d files, exported %s" % (said["agent"], len(said["files"]), stamp), ""]
    lines += ["1. Carry these files together:"]
    for row in rows + said["payloads"]:
        lines += ["   %s  %d bytes" % (row["name"], row["size"]), "     sha256 %s" % row["sha256"]]
    lines += ["", "2. In the repository that receives it, type:", "   ecluse import %s --land" % what]
    bundle, ref = said["payloads"][0]["name"], "incoming/" + change["id"]
    lines += ["", "Without Ecluse, with plain git (you judge it yourself):"]
    lines += ["   tar xf " + what] if what.endswith(".tar") else []
    lines += ["   git bundle verify " + bundle]
    lines += ["   git fetch %s +%s:%s" % (bundle, REF, ref)]
    lines += ["   git log -p %s%s" % (base + ".." if base else "", ref), "   git merge " + ref]
    if said["not_carried"]:
        lines += ["", "Not carried:"] + ["   %(path)s  (%(reason)s)" % one for one in said["not_carried"]]
    if said["note"]:
        lines += ["", "Note:", said["note"]]
    return "\n".join(lines) + "\n"


def publish(said, stamp, aside, folder, tar):
    """Write manifest and instructions and move everything into place; the path that is to be imported."""
    stem, data = "sync_cloud_" + stamp, json.dumps(said, ensure_ascii=True, indent=1).encode("ascii") + b"\n"
    text = instructions(said, stamp, os.path.basename(tar) if tar else stem + ".json", data)
    write_whole(os.path.join(aside, stem + ".json"), data)
    write_whole(os.path.join(aside, "INSTRUCTIONS_%s.txt" % stamp), text.encode("utf-8"))
    names = [one["name"] for one in said["payloads"]] + ["INSTRUCTIONS_%s.txt" % stamp, stem + ".json"]
    if tar:
        whole = os.path.join(aside, "whole")
        with tarfile.open(whole, "w", format=tarfile.USTAR_FORMAT) as out:
            for name in reversed(names):  # the manifest first: a reader of a stream meets it first
                info = tarfile.TarInfo(name)
                info.size, info.mtime = os.path.getsize(os.path.join(aside, name)), int(time.time())
                with open(os.path.join(aside, name), "rb") as handle:
                    out.addfile(info, handle)
        os.replace(whole, tar)
        return tar
    for name in names:
        with open(os.path.join(aside, name), "rb+") as handle:
            os.fsync(handle.fileno())
        os.replace(os.path.join(aside, name), os.path.join(folder, name))
    return os.path.join(folder, stem + ".json")


# -- the export --------------------------------------------------------------------------------------------------


def describe(change, work, base):
    status, _, mode, _, oid, path = change
    row = {"path": path.decode("utf-8", "backslashreplace"), "status": status, "mode": mode, "blob": oid}
    row["origin"] = work.origins.get(path, "committed")
    try:
        path.decode("utf-8")
    except UnicodeDecodeError:
        row["path_b64"] = base64.b64encode(path).decode("ascii")
    return row


def read_commits(repo, base, tip):
    words = ("log", "--reverse", "--topo-order", "--no-show-signature", "--format=tformat:%H%x00%P%x00%B%x00%x01")
    listed, found = repo.out(*words, "--end-of-options", *(["^" + base] if base else []), tip), []
    for block in listed.split(b"\0\x01\n"):
        if block:
            oid, parents, message = block.split(b"\0", 2)
            found.append({"id": oid.decode(), "parents": parents.decode().split(), "message": message})
    return found


def export(options, record):
    repo = discover(options.folder)
    record["top"] = repo.top
    head = repo.resolve("HEAD")
    if not head:
        raise Stop(2, "repo.empty", "This repository has no commits yet.", "git add -A && git commit -m 'first commit'")
    if len(head) != len(EMPTY_TREE):
        message = "This repository names its objects by SHA-256; only changes of SHA-1 repositories are carried."
        raise Stop(2, "repo.format", message, "git bundle create FILE.bundle HEAD")
    name = repo.ask("config", "--get", "user.name", user_config=True)
    mail = repo.ask("config", "--get", "user.email", user_config=True)
    name = name if names_somebody(name) else ""
    agent = clean(in_utf8(options.agent or os.environ.get("ECLUSE_AGENT", "") or (name if mail else ""))) or "agent"
    stand_in = (agent if names_somebody(agent) else "agent", "agent@localhost")
    branch = repo.ask("symbolic-ref", "--quiet", "--short", "HEAD") or "(detached)"
    record.update(agent=agent, branch=in_utf8(branch))
    note = clean(read_note(options), lines=True)
    base, how, target = find_base(repo, head, options.base)
    record.update(base=base, target=in_utf8(target))
    default = os.path.join(repo.top, os.environ.get("SYNC_DIR") or ".sync", "patches")
    place = os.path.abspath(os.path.join(options.folder, options.to) if options.to else default)
    refuse_file(place)
    remove_dead(tempfile.gettempdir())
    with tempfile.TemporaryDirectory(prefix="ecluse-clone-") as scratch:
        temporary = borrow(repo, scratch)
        work = Snapshot(repo, temporary, head, (name, mail) if name and mail else stand_in)
        tip = work.commit or head
        record.update(head=tip, not_carried=len(work.left))
        if options.watch and (tip == base or [base, tip, branch] == options.seen):
            return None, "", how
        options.seen = [base, tip, branch]
        if tip == base:
            refuse_empty(work)
        commits, changes = read_commits(temporary, base, tip), temporary.changes(base or EMPTY_TREE, tip)
        listed = [one["path"] for one in work.left if one["reason"] == "submodule"]
        for path in [change[5] for change in changes if change[2] == "160000" and shown(change[5]) not in listed]:
            work.leave(path, "submodule", SUBMODULE)
        refuse_secrets(temporary, commits, changes)
        checks = validate(temporary, changes, temporary.resolve(tip, "tree"), tip, work, scratch) if options.validate == "minimal" else []
        refuse_red(checks, options)
        tar = place if place.endswith(".tar") else ""
        folder = os.path.dirname(place) if tar else place
        with alone(repo):
            identity, revision = next_revision(repo, branch, base, tip, "" if tar else folder)
        real = [one for one in commits if one["id"] != work.commit]
        words = real[-1]["message"].decode("utf-8", "replace") if real else note
        said = declare(options, repo, temporary, branch, head, base, tip)
        said["git"].update(commits_ahead=len(real), uncommitted_changes=bool(work.commit))
        said["change"] = {"id": identity, "revision": revision, "title": clean(words) or "uncommitted work"}
        said.update(agent=agent, target=clean(in_utf8(target)), uncommitted=work.commit, note=note, validations=checks)
        said.update(files=[describe(change, work, base) for change in changes], not_carried=work.left)
        kind = "mixed" if real and work.commit else "uncommitted" if work.commit else "commits"
        packs = os.path.join(repo.common, "objects", "pack")
        partial = os.path.isdir(packs) and any(name.endswith(".promisor") for name in os.listdir(packs))
        path = put(said, temporary, kind, folder, tar, place == os.path.abspath(default), partial)
    record.update(change_id=identity, revision=revision, patch=said["patch"]["filename"], files=len(changes))
    record.update(size_bytes=sum(one["size"] for one in said["payloads"]), commits=len(real), path="-" if options.stream else path)
    return said, path, how


def refuse_empty(work):
    loud = ["%(path)s (%(reason)s)" % one for one in work.left if one["reason"] not in QUIET]
    but = " Left out: %s." % ", ".join(loud[:10]) if loud else ""
    message = "There is nothing to hand over: no commit since the base and no uncommitted work." + but
    hint = "make a change first, or name an older start with --base REV"
    raise Stop(2, "export.empty", message, hint, not_carried=work.left)


def remove_dead(folder):
    """Remove what exports that died left among the temporary files, after a day."""
    with contextlib.suppress(OSError):  # somebody else's, or gone meanwhile: the next export looks again
        for name in [one for one in os.listdir(folder) if one.startswith("ecluse-clone-")]:
            path = os.path.join(folder, name)
            if not os.path.islink(path) and os.lstat(path).st_mtime < time.time() - 24 * 3600:
                shutil.rmtree(path, ignore_errors=True)


def refuse_file(place):
    """Refuse what is a file already, or by its name is meant to be one that an export is not."""
    if place.endswith(".tar") or os.path.isdir(place):
        return
    if os.path.exists(place):
        raise Stop(2, "export.to", "%s is a file." % place, "name a folder with --to, or a FILE.tar")
    if re.search(r"\.(?:gz|tgz|zip|xz|bz2|json|bundle|patch|txt)$", place, re.I):
        name = os.path.basename(place)
        message = "An export is a folder or one file that ends in .tar, not %s." % name
        raise Stop(2, "export.to", message, "name a folder with --to, or a FILE.tar")


def refuse_red(checks, options):
    red = "; ".join("%(name)s: %(detail)s" % one for one in checks if one["result"] == "failure")
    if red and not options.allow_red:
        message = "Nothing was exported, because a check is red: %s." % red
        raise Stop(5, "export.red", message, "fix it, or add --allow-red")


def declare(options, repo, temporary, branch, head, base, tip):
    """The manifest as far as the repository says it; the keys stand in the order in which they are written."""
    last = repo.out("log", "-1", "--format=%s", "HEAD", "--").decode("utf-8", "replace")
    return {
        "schema": "ecluse-change/1",
        "export_timestamp": "",
        "export_date": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "git": {"branch": branch, "last_commit": head, "last_commit_message": clean(last)},
        "patch": {},
        "status": "checkpoint" if options.watch else "exported",
        "agent": "",
        "agent_details": {
            word: clean(in_utf8(getattr(options, word, "") or os.environ.get("ECLUSE_AGENT_" + word.upper(), "")))
            for word in ("tool", "model", "session", "task", "cost")
        },
        "change": {},
        "base": {"commit": base, "tree": temporary.resolve(base, "tree") if base else ""},
        "head": {"commit": tip, "tree": temporary.resolve(tip, "tree")},
        "target": "",
        "uncommitted": "",
        "note": "",
        "files": [],
        "not_carried": [],
        "validations": [],
        "payloads": [],
        "repository": {"roots": roots(repo, head), "remote": remote(repo)},
        "generator": VERSION,
    }


def roots(repo, head):
    if os.path.exists(os.path.join(repo.common, "shallow")):
        return []
    return repo.text("rev-list", "--max-parents=0", head).split()[:10]


def remote(repo):
    """The address of the main remote, without user, password and query."""
    names = sorted(repo.ask("remote").split("\n"), key=lambda name: (name != "origin", name))
    url = repo.ask("config", "--local", "--get", "remote.%s.url" % names[0]) if names[0] else ""
    url = url.partition("?")[0] if "://" in url else url
    url = re.sub(r"(?i)^(https?://)[^/@]*@", r"\1", url)
    return clean(in_utf8(re.sub(r"(?i)^([a-z][a-z0-9+.-]*://[^/@:]*):[^/@]*@", r"\1@", url)))


def put(said, temporary, kind, folder, tar, ours, partial):
    """Claim a name, write the payloads aside, publish. The claim of a failed export is taken back."""
    own_folder(folder or ".") if ours else os.makedirs(folder or ".", exist_ok=True)
    aside = tempfile.mkdtemp(prefix=".export-", dir=folder or ".")
    held = ""
    try:
        stamp, held = (time.strftime("%Y%m%d_%H%M%S"), "") if tar else claim(folder, "sync_cloud_", ".bundle")
        base, tip = said["base"]["commit"], said["head"]["commit"]
        said["export_timestamp"] = stamp
        place = os.path.abspath(aside)
        said["payloads"], omitted = write_payloads(temporary, base, tip, place, "sync_cloud_" + stamp, partial)
        if omitted:
            said["omitted_payloads"] = omitted
        patch = said["payloads"][1] if len(said["payloads"]) > 1 else {"name": "", "size": 0}
        said["patch"] = {"filename": patch["name"], "type": kind, "size_bytes": patch["size"]}
        said["patch"]["modified_files"] = [one["path"] for one in said["files"]]
        return publish(said, stamp, aside, folder, tar)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        if held and os.path.exists(held) and os.path.getsize(held) == 0:
            os.unlink(held)


def read_note(options):
    if not options.note:
        return ""
    if options.note == "-":
        return sys.stdin.buffer.read(1 << 20).decode("utf-8", "replace")
    try:
        with open(os.path.join(options.folder, options.note), "rb") as handle:
            return handle.read(1 << 20).decode("utf-8", "replace")
    except OSError as error:
        raise Stop(2, "file.missing", "The note cannot be read: %s." % error, "check the name with: ls") from error


def journal(record, status, code, message):
    """Leave what happened in .sync/logs, one JSON document for each export, also when it was refused."""
    top = record.pop("top", "")
    if not top:
        return
    folder = os.path.join(top, os.environ.get("SYNC_DIR") or ".sync", "logs")
    at = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    row = dict({"at": at, "action": "export", "status": status, "code": code, "message": message}, **record)
    try:
        own_folder(folder)
        _, path = claim(folder, "export_", ".log")
        write_whole(path, json.dumps(row, ensure_ascii=True, indent=1).encode("ascii") + b"\n")
    except (OSError, Stop) as error:
        say("[!] no log was written: %s" % error)


def say(text):
    encoding = sys.stderr.encoding or "ascii"
    print(text.encode(encoding, "backslashreplace").decode(encoding), file=sys.stderr)


def watch(options):
    """Look again and again until a signal; whenever the work has changed, a new checkpoint takes the old one's place."""
    asked = []

    def stop(number, frame):
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), stop)
    say("[i] looking every %g s, until Ctrl-C" % options.watch)
    while True:
        last, well = bool(asked), once(options) in (0, 2, 3, 4)
        options.seen = options.seen if well else None  # a full disk, a busy git: the same work is tried again
        if last:
            say("[i] stopped")
            return 0
        due = time.monotonic() + (options.watch if well else min(options.watch, 5))
        while not asked and time.monotonic() < due:
            time.sleep(max(0, min(0.2, due - time.monotonic())))


def seen_before(options):
    """What the newest export of this branch in the folder holds: a watch that is started again goes on from there."""
    try:
        repo = discover(options.folder)
        folder = options.to or os.path.join(repo.top, os.environ.get("SYNC_DIR") or ".sync", "patches")
        folder = os.path.join(options.folder, folder)
        branch = repo.ask("symbolic-ref", "--quiet", "--short", "HEAD") or "(detached)"
        last = last_output("" if folder.endswith(".tar") else folder, branch)
    except (OSError, Stop):
        return None
    return [last["base"], last["head"], branch] if last else None


def prune(folder, identity, revision):
    """Remove the older checkpoints of a change; the manifest first, so that half a bundle is never taken for a whole."""
    for name in sorted(os.listdir(folder)):
        found = re.match(r"sync_cloud_(\d{8}_\d{6}(?:_\d+)?)\.json$", name)
        try:
            if found:
                with open(os.path.join(folder, name), "rb") as handle:
                    said = json.loads(handle.read().decode("utf-8"))
                old = said["change"]["id"] == identity and said["change"]["revision"] < revision
                if old and said["status"] == "checkpoint":
                    os.replace(os.path.join(folder, name), os.path.join(folder, ".pruned-" + name))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    for name in os.listdir(folder):
        found = re.match(r"\.pruned-sync_cloud_(\d{8}_\d{6}(?:_\d+)?)\.json$", name)
        if found:
            stem = "sync_cloud_" + found.group(1)
            files = [stem + end for end in (".bundle", ".patch", ".json.sig")] + ["INSTRUCTIONS_%s.txt" % found.group(1)]
            pages = ["sync-session-summary", "agent-handoff", "checklist-pre-sync"]
            for one in files + ["%s_%s.md" % (page, found.group(1)) for page in pages] + [name]:
                if os.path.exists(os.path.join(folder, one)):
                    os.unlink(os.path.join(folder, one))


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agent", default="", metavar="NAME", help="who made the change (or ECLUSE_AGENT)")
    parser.add_argument("--task", default="", metavar="TEXT", help="what it is an attempt at (or ECLUSE_AGENT_TASK)")
    parser.add_argument("--base", default="", metavar="REV", help="where the change starts (default: found)")
    parser.add_argument("--note", default="", metavar="FILE|-", help="what was done, what is left, what to watch")
    parser.add_argument("--validate", default="minimal", choices=("none", "minimal"), help="the checks before it")
    parser.add_argument("--to", default="", metavar="DIR|FILE.tar|-", help="where to (default: .sync/patches)")
    parser.add_argument("--accept-omissions", action="store_true", help="what cannot be carried is known: exit 0")
    parser.add_argument("--allow-red", action="store_true", help="export although a check is red")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument("--watch", type=float, default=0, metavar="SECONDS", help="keep a rolling checkpoint")
    parser.add_argument("-C", dest="folder", default=".", metavar="DIR", help="work as if started in DIR")
    options = parser.parse_args()
    options.seen, options.stream = None, False
    if options.to == "-" and (options.watch or options.json):
        parser.error("--to - wants standard output for itself: it goes without --watch and --json")
    if options.watch and (options.watch < 0.05 or options.json or options.note == "-"):
        parser.error("--watch needs a positive number of seconds, and goes without --json and --note -")
    options.allow_red = options.allow_red or bool(options.watch)  # half-done work is what a checkpoint is for
    return options


def report(options, said, path, how):
    change = said["change"]
    say("[OK] %s revision %d: %s" % (change["id"], change["revision"], change["title"]))
    say("  based on %s (%s), head %s" % (said["base"]["commit"][:12] or "nothing", how, said["head"]["commit"][:12]))
    say("  carried: %d file(s)" % len(said["files"]))
    for one in said["files"][:40]:
        say("    %s %s  (%s)" % (one["status"], ascii(one["path"])[1:-1], one["origin"]))
    loud = [one for one in said["not_carried"] if one["reason"] not in QUIET]
    for one in loud:
        say("  [!] NOT carried: %s (%s: %s)" % (one["path"], one["reason"], one.get("detail", "")))
    for one in said["validations"]:
        say("  %s: %s (%s)" % (one["name"], one["result"], one["detail"]))
    if options.stream:
        with open(path, "rb") as whole:
            shutil.copyfileobj(whole, sys.stdout.buffer, 1 << 20)
        sys.stdout.buffer.flush()
    elif options.json:
        document = {"schema_version": 1, "change_id": change["id"], "revision": change["revision"], "path": path}
        document.update(base=said["base"]["commit"], head=said["head"]["commit"], tree=said["head"]["tree"])
        document.update({key: said[key] for key in ("files", "not_carried", "payloads")})
        print(json.dumps(document, ensure_ascii=True, indent=2))
    else:
        shown_path = ascii(path)[1:-1] if not path.isascii() else path
        print("%s\nImport it where it is to land: ecluse import %s" % (shown_path, shown_path))
    if loud and not options.accept_omissions:
        say("[!] something was left out: look at the list, then type the same with --accept-omissions")
        return 3
    return 0


def main():
    options = parse()
    if options.watch:
        options.seen = seen_before(options)
        return watch(options)
    if options.to != "-":
        return once(options)
    with tempfile.TemporaryDirectory(prefix="ecluse-out-") as room:
        options.to, options.stream = os.path.join(room, "change.tar"), True
        return once(options)


def once(options):
    """One export, said and recorded; its exit status."""
    record = {"exporter": VERSION}
    try:
        said, path, how = export(options, record)
        if said is None:
            return 0
        if options.watch and not path.endswith(".tar"):
            prune(os.path.dirname(path), said["change"]["id"], said["change"]["revision"])
        status = report(options, said, path, how)
        journal(record, "partial" if status else "success", "", said["change"]["title"])
        return status
    except OSError as error:
        stop = Stop(1, "storage", "The system said no: %s." % error, "make room or name another folder with --to")
    except KeyboardInterrupt:
        stop = Stop(130, "interrupted", "Interrupted; nothing was exported.", "type the same again")
    except Stop as found:
        stop = found
    journal(record, "failed", stop.code, stop.message)
    if options.json:
        error = dict(
            {"code": stop.code, "message": stop.message, "hint": stop.hint},
            **({"details": stop.details} if stop.details else {}),
        )
        print(json.dumps({"schema_version": 1, "error": error}, ensure_ascii=True, indent=2))
    say("[ERROR] %s\n  next: %s" % (stop.message, stop.hint))
    return stop.status


if __name__ == "__main__":
    sys.exit(main())
