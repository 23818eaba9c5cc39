"""The commit that would land: the change's own head where the target has not moved, else a merge commit."""

from __future__ import annotations

from ecluse.dataclass import dataclass
from ecluse.git import Repository
from ecluse.git.nouns import FALLBACK_IDENTITY
from ecluse.git.resolving import Rules, merge_by_rules
from ecluse.model import Change


@dataclass(frozen=True, slots=True)
class Candidate:
    """What would land on ``base``. With ``conflicts`` there is no commit; ``how`` is ``same``, ``forward`` or ``merge``.

    ``resolved`` names what rules resolved: path and rule of each file.
    """

    base: str
    commit: str
    tree: str
    how: str
    conflicts: tuple[str, ...] = ()
    resolved: tuple[dict[str, str], ...] = ()


def build(repository: Repository, base: str, change: Change, target: str, when: str, rules: Rules) -> Candidate:
    """Build the candidate of ``change`` on ``base`` as objects only; no ref and no work tree is touched.

    The commits of the change keep their ids: it is a fast-forward where possible and a merge of two parents where
    not; simple conflicts are resolved by ``rules``. The same arguments give the same commit, so a repeat after a death makes nothing new.
    """
    if repository.is_ancestor(change.head, base):
        return Candidate(base, base, repository.tree_id(base), "same")
    if repository.is_ancestor(base, change.head):
        return Candidate(base, change.head, repository.tree_id(change.head), "forward")
    merged = merge_by_rules(repository, base, change.head, rules)
    if merged.conflicts:
        return Candidate(base, "", "", "merge", merged.conflicts)
    message = f"Merge change {change.id} into {target.removeprefix('refs/heads/')}\n\n{change.title}\n"
    if merged.resolved:
        lines = "".join(f"Ecluse-Resolved: {one['rule']} {one['path']}\n" for one in merged.resolved)
        message += f"\n{lines}"
    who = repository.identity() or FALLBACK_IDENTITY
    commit = repository.commit_tree(merged.tree, [base, change.head], message, who, when)
    return Candidate(base, commit, merged.tree, "merge", (), merged.resolved)
