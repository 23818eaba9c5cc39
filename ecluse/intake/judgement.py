"""The judgement of one bundle: everything is looked at in a throw-away repository, nothing of it is kept or run."""

from __future__ import annotations

import contextlib
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ecluse.dataclass import dataclass, field
from ecluse.errors import Problem, Refused
from ecluse.git import Repository
from ecluse.git.lookups import commits_beyond
from ecluse.git.nouns import EMPTY_TREE
from ecluse.git.resolving import merge_by_rules
from ecluse.guarded import rules_for
from ecluse.intake import belonging, bundlefile, people
from ecluse.intake.case import Case
from ecluse.intake.commitrules import is_untrusted, judge_claim, judge_commits
from ecluse.intake.content import judge_content
from ecluse.intake.differences import Differences
from ecluse.intake.manifest import Manifest, Payload, clean
from ecluse.intake.objects import Reader, commit_changes
from ecluse.intake.opening import open_payload
from ecluse.intake.sources import Parcel, read_claims
from ecluse.intake.treerules import list_entries
from ecluse.intake.trust import find_signer, trusted_by
from ecluse.intake.validation import validate_tree
from ecluse.model import Agent, Finding, Verdict
from ecluse.process import CommandFailed, background
from ecluse.signing import principals
from ecluse.trunk import Trunk

FINDINGS_CAP = 200
_COMMIT_CAP = 1 << 20
_COMMITS_CAP = 32 << 20
_FOR_A_PERSON = ("base.missing", "base.partial", "base.does_not_apply", "signature.unknown")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a bundle is found to be. ``reason`` is the code of the worst finding; ``conflicts`` paths on the target.

    ``objects`` are the ids of everything that was looked at, where that is known to be all that the change needs.
    ``resolved`` is what rules resolve there: path and rule of each file.
    """

    verdict: Verdict
    reason: str
    findings: tuple[Finding, ...]
    claims: Manifest | None = None
    base: str = ""
    head: str = ""
    tree: str = ""
    method: str = ""
    title: str = ""
    agent: Agent = field(default_factory=lambda: Agent(""))
    commits: dict[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    resolved: tuple[dict[str, str], ...] = ()
    validations: tuple[dict[str, Any], ...] = ()
    trusted_by: str = ""
    objects: frozenset[str] = frozenset()
    people: tuple[str, ...] = ()
    uncommitted: str = ""
    """The commit of work that nobody had committed, where there is one."""


@contextlib.contextmanager
def judge(
    repository: Repository, trunk: Trunk, target: str, parcel: Parcel, *, committed_only: bool = False
) -> Iterator[tuple[Judgement, Repository]]:
    """Judge a bundle against the branch ``target`` (a full ref); give the judgement and the throw-away repository.

    With ``committed_only``, as if it ended beneath the marked commit of uncommitted work that is its head.
    Never raises for what is in the bundle: that is a finding. Raises for what is wrong here (disk, git, policy file).
    """
    with repository.temporary_clone() as room, room.asking(), Reader(room) as reader:
        case = Case(trunk, target, room, reader, committed_only=committed_only)
        try:
            _judge_parcel(case, parcel)
        except CommandFailed as problem:
            said = problem.completed.stderr.decode("utf-8", "replace")
            if "No space left" in said or "Disk quota" in said:
                raise
            case.findings.append(Finding("bundle.unreadable", Verdict.REJECT, problem.message[:500]))
        except Refused as refusal:
            told = belonging.explain(repository, case.claims, refusal)
            case.findings.append(Finding(told.code, _verdict_of(told), told.message))
        yield _sum_up(case), room


def _verdict_of(problem: Problem) -> Verdict:
    return Verdict.QUARANTINE if problem.code in _FOR_A_PERSON else Verdict.REJECT


def _judge_parcel(case: Case, parcel: Parcel) -> None:
    with background(lambda: frozenset(case.trunk.repository.refs("refs/heads"))) as case.branches:
        if parcel.manifest:
            _read_manifest(case, parcel, parcel.manifest)
        with tempfile.TemporaryDirectory(prefix="ecluse-payload-") as scratch:
            open_payload(case, parcel, Path(scratch))
    signer = case.signer.name if case.signer else ""
    _relate(case)
    with background(lambda: judge_commits(case.reader, case.commits, principals(case.trunk.signers), signer)) as judged:
        _count(case)
    if not _is_refused(case):
        case.findings += judge_content(
            case.room, case.reader, case.trunk, case.head, case.commits, case.changes, case.by_commit, _result(case),
            judged(),
        )  # fmt: skip
    if not _is_refused(case):
        level = case.trunk.config.intake.validation
        case.validations = validate_tree(case.room, case.base, case.head, level)


def _is_refused(case: Case) -> bool:
    return any(finding.verdict is Verdict.REJECT for finding in case.findings)


def _read_manifest(case: Case, parcel: Parcel, name: str) -> None:
    """What the manifest says, who signed it, and whether its payloads are the files that it names."""
    said = read_claims(parcel.folder / name)
    if isinstance(said, Problem):
        raise said
    case.claims = said
    if is_untrusted(f"{said.title}\n{said.agent.name}\n{said.note}"):
        text = "the manifest has markup or instructions in its words; they are shown as plain text"
        case.findings.append(Finding("message.untrusted", Verdict.NEUTRALISE, text))
    if parcel.signature:
        case.signer = find_signer(case.trunk, parcel.folder / name, parcel.folder / parcel.signature)
    signed_by = case.signer.name if case.signer else ""
    case.findings += judge_claim(clean(said.agent.name), principals(case.trunk.signers), signed_by)
    for payload in said.payloads:
        _check_payload(payload, parcel)


def _check_payload(payload: Payload, parcel: Parcel) -> None:
    if payload.name not in parcel.payloads:
        return
    digest, size = parcel.digests[payload.name]
    if digest != payload.sha256 or (payload.size >= 0 and size != payload.size):
        raise bundlefile.refuse(
            "meta.payload_sha",
            f"{payload.name} is not the file that the manifest names ({size:,} bytes, another digest)",
        )


def _relate(case: Case) -> None:
    """Where the change leaves the target's history, and which commits it brings."""
    tip = case.tip()
    limit = case.trunk.config.intake.max_commits
    listed, common = commits_beyond(case.room, case.head, tip, limit + 1)
    if common is None:
        raise bundlefile.refuse(
            "base.unrelated", "The change has no commit in common with this repository's target branch"
        )
    case.base = common
    if common == case.head:
        text = "everything in this change is on the target already"
        case.findings.append(Finding("change.nothing_new", Verdict.WARN, text))
    if len(listed) > limit:
        raise bundlefile.refuse("limit.commits", f"The change has more than {limit:,} commits")
    sizes = case.reader.sizes(listed).values()
    if max(sizes, default=0) > _COMMIT_CAP or sum(sizes) > _COMMITS_CAP:
        raise bundlefile.refuse("message.too_long", "The commits of the change say more than anybody could read")
    case.commits = case.room.commits(case.head, f"^{tip}")
    declared = case.claims.base if case.claims else ""
    if declared not in ("", common) and case.method == "bundle" and not case.room.is_ancestor(declared, case.head):
        raise bundlefile.refuse("meta.base", "The declared base is not an ancestor of the head")


def _count(case: Case) -> None:
    """Count the changed files of the result and of every commit before anything lists them; then list them."""
    limit = case.trunk.config.intake.max_files
    trees = {commit.id: commit.tree for commit in case.commits}
    for oid in {case.base, *(parent for commit in case.commits for parent in commit.parents)} - trees.keys():
        trees[oid] = case.room.tree_id(oid) if oid else ""
    whole = (trees[case.base], case.tree)
    linear = {
        commit.id: (trees[commit.parents[0]] if commit.parents else "", commit.tree)
        for commit in case.commits
        if len(commit.parents) < 2
    }
    with Differences(case.room, limit) as differences:
        differences.load([whole, *linear.values()])
        for number in map(differences.count, *zip(whole, *linear.values(), strict=True)):
            _check_count(number, limit)
        for commit in case.commits:
            if commit.id not in linear:
                _check_count(_least(differences, [trees[one] for one in commit.parents], commit.tree, limit), limit)
        case.changes = differences.paths(*whole)
        case.by_commit = {oid: differences.paths(*pair) for oid, pair in linear.items()}
        folders = differences.trees
    merges = [commit.id for commit in case.commits if commit.id not in linear]
    if merges:
        case.by_commit |= commit_changes(case.room, merges)
    elif case.method == "bundle" and not case.fetched:  # in a line, whatever is new is what some commit changed
        files = (change.new_id for changes in case.by_commit.values() for change in changes)
        case.objects = frozenset((*linear, *(tree for _, tree in linear.values()), *folders, *files))
    _compare_files(case)


def _least(differences: Differences, parents: list[str], tree: str, limit: int) -> int:
    """How much a merge differs from the parent that it is most like; what it has of the other was counted there."""
    least = limit + 1
    for parent in reversed(parents):  # what was merged in comes last, and the change is what it lacks
        differences.load([(parent, tree)])
        least = min(least, differences.count(parent, tree))
        if least <= limit:
            break
    return least


def _check_count(number: int, limit: int) -> None:
    if number > limit:
        said = "more" if number == limit + 1 else _rounded(number)
        raise bundlefile.refuse("limit.files", f"The change touches {said} files, the cap is {limit:,}")


def _rounded(number: int) -> str:
    return f"{number:,}" if number < 10**6 else f"about 10^{len(str(number)) - 1}"


def _compare_files(case: Case) -> None:
    """Our own manifests list every file: what they say must be what is there."""
    claims = case.claims
    if claims is None or claims.foreign or case.committed_only:
        return
    same = claims.base == case.base or case.method != "bundle"
    real = case.changes if same else case.room.changed_paths(claims.base or EMPTY_TREE, case.head)
    said = Counter((str(one.get("status")), str(one.get("mode")), str(one.get("blob"))) for one in claims.files)
    if said != Counter((change.status, change.new_mode, change.new_id) for change in real):
        raise bundlefile.refuse("meta.files_mismatch", "The manifest's list of files is not what the bundle holds")


def _result(case: Case) -> dict[str, tuple[str, str]]:
    """Path to (mode, id) of what the target would hold: what stands there as it is changed, else the merged tree."""
    tree = _merged_tree(case)
    if case.standing is None or case.tip() != case.base:
        return list_entries(case.room, tree)
    entries = dict(case.standing)
    for change in case.changes:
        if change.status == "D":
            entries.pop(change.path, None)
    entries.update((c.path, (c.new_mode, c.new_id)) for c in case.changes if c.status != "D")
    return entries


def _merged_tree(case: Case) -> str:
    """The tree after a merge into the target as it is now, by rules; the head's own where that conflicts."""
    tip = case.tip()
    if tip == case.base:  # the change stands on it
        return case.tree
    rules = rules_for(case.trunk.repository, case.trunk.config)
    merged = merge_by_rules(case.room, tip, case.head, rules)
    case.conflicts, case.resolved = merged.conflicts, merged.resolved
    return case.tree if merged.conflicts else merged.tree


def _sum_up(case: Case) -> Judgement:
    order = list(Verdict)
    findings = sorted(case.findings, key=lambda one: -order.index(one.verdict))[:FINDINGS_CAP]
    verdict = findings[0].verdict if findings else Verdict.ACCEPT
    claims = case.claims
    real = [commit for commit in case.commits if commit.id != case.uncommitted]
    title = claims.title if claims and claims.title else real[-1].title if real else ""
    agent = claims.agent if claims else Agent(case.commits[-1].author.name if case.commits else "")
    if case.signer:
        agent = replace(agent, key=case.signer.name)
    return Judgement(
        verdict=verdict,
        reason=findings[0].code if findings else "ok",
        findings=tuple(findings),
        claims=claims,
        base=case.base,
        head=case.head,
        tree=case.tree,
        method=case.method,
        title=title,
        agent=agent,
        commits={commit.id: commit.id for commit in case.commits},
        files=tuple(change.path for change in case.changes),
        conflicts=case.conflicts,
        resolved=case.resolved,
        validations=tuple(case.validations),
        trusted_by="" if verdict is Verdict.REJECT else trusted_by(case.trunk, case.signer),
        objects=case.objects,
        people=people.unknown(case.commits, case.trunk.signers),
        uncommitted=case.uncommitted,
    )
