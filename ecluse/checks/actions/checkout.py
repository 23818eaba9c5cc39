"""``actions/checkout``: brings the tree under test into the workspace, uncommitted files included.

Of a git work tree these are the tracked files and the untracked ones that are not ignored, with a ``.git`` that
borrows the objects of the tree's repository and shows as much history as ``fetch-depth`` asks for; of any other folder
they are all files. Another commit of the same repository comes from its objects, another repository over git.
"""

from __future__ import annotations

from pathlib import Path

from ecluse.checks.actions import ActionCall, Outcome
from ecluse.checks.actions.checkout_parts import (
    bring_submodules,
    check_address,
    cut_history,
    keep_sparse,
    share_refs,
    sparse_rule,
)
from ecluse.checks.placing import empty, inside, list_files, place
from ecluse.errors import Invalid, Problem, Unsupported
from ecluse.git import Repository, list_work_files
from ecluse.model import Result

_WITHOUT_EFFECT = {
    "lfs": "files are brought as they lie in the tree",
    "filter": "objects are not downloaded, they are borrowed",
    "ssh-key": "nothing is fetched with credentials",
}


def run(call: ActionCall) -> Outcome:
    """Bring the files. Raises :class:`ecluse.errors.Problem` for what is not there or cannot be had."""
    session = call.session
    target = inside(session.workspace, call.input("path", "."), "path")
    target.mkdir(parents=True, exist_ok=True)
    if call.flag("clean", True):
        empty(target)
    for name, why in _WITHOUT_EFFECT.items():
        if call.input(name, "false") != "false":
            call.say(f"##[notice]checkout: the input {name} has no effect here, {why}")
    wanted = call.input("repository")
    if wanted and wanted.lower() != str(session.github["repository"]).lower():
        return _bring_other(call, target, wanted)
    ref = call.input("ref")
    if ref and ref not in _names_here(call):
        return _bring_ref(call, target, ref)
    return _bring_tree(call, target)


def _names_here(call: ActionCall) -> set[str]:
    """Every name that means what is under test."""
    github, request = call.session.github, call.session.request
    event = github["event"] if isinstance(github["event"], dict) else {}
    head = ((event.get("pull_request") or {}).get("head") or {}).get("sha")
    branch = request.ref.removeprefix("refs/heads/")
    return {github["ref"], github["ref_name"], github["sha"], github["head_ref"], request.ref, branch, head} - {
        "",
        None,
    }


def _bring_tree(call: ActionCall, target: Path) -> Outcome:
    session = call.session
    names = list_work_files(session.tree)
    is_work_tree = names is not None
    made = _borrow(call, target) if is_work_tree else None
    names = names if names is not None else list_files(session.tree)
    rule = sparse_rule(call)
    chosen = sorted(rule(names)) if rule else names
    copied = place(session.tree, target, chosen)
    if made is not None and rule:
        keep_sparse(made, rule)
    bring_submodules(call, target, Repository.discover(session.tree) if is_work_tree else None)
    call.outputs["ref"] = call.input("ref", str(session.github["ref"]))
    call.outputs["commit"] = str(session.github["sha"])
    call.say(f"brought {copied} files of {session.request.repository}")
    return Outcome(Result.SUCCESS)


def _borrow(call: ActionCall, target: Path) -> Repository | None:
    """Give the workspace a repository at the tree's commit, unless it already has one."""
    if (target / ".git").exists():
        return None
    source = Repository.discover(call.session.tree)
    commit = source.resolve("HEAD")
    if commit is None or source.work_tree is None or source.work_tree.resolve() != call.session.tree:
        return None
    branch = call.session.request.ref
    return _make(call, source, target, commit, branch if branch.startswith("refs/heads/") else "")


def _make(call: ActionCall, source: Repository, target: Path, commit: str, branch: str) -> Repository:
    """A repository in ``target`` that borrows from ``source``, its index at ``commit`` and its HEAD on ``branch``."""
    made = source.borrow(target)
    if branch and made.valid_ref(branch):
        made.run("symbolic-ref", "HEAD", branch)
        made.run("update-ref", "HEAD", commit)
    else:
        made.run("update-ref", "--no-deref", "HEAD", commit)
    made.run("read-tree", commit)
    depth = call.input("fetch-depth", "1")
    if depth == "0":
        share_refs(source, made, branches=True)
    else:
        if not depth.isdecimal():
            raise Invalid(
                "checks.checkout_depth", f"fetch-depth is '{depth}', and must be a number.", "write 0 for all"
            )
        if branch:
            made.run("update-ref", f"refs/remotes/origin/{branch.removeprefix('refs/heads/')}", commit)
        cut_history(made, commit, int(depth))
    if call.flag("fetch-tags"):
        share_refs(source, made, branches=False)
    origin = source.config("remote.origin.url")
    if origin and "@" not in origin.partition("://")[2].partition("/")[0]:  # an address with a password stays here
        made.set_config("remote.origin.url", origin)
        made.set_config("remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*")
    return made


def _bring_ref(call: ActionCall, target: Path, ref: str) -> Outcome:
    """Another commit of the repository under test, as it was committed."""
    try:
        source = Repository.discover(call.session.tree)
    except Problem as problem:
        raise _unknown(ref) from problem
    short = ref.removeprefix("refs/heads/")
    names = (f"refs/heads/{short}", f"refs/remotes/origin/{short}", f"refs/tags/{ref}", ref)
    known = [(name, source.resolve(name)) for name in names if not name.startswith("-")]
    name, commit = next(((name, found) for name, found in known if found), ("", None))
    if commit is None:
        raise _unknown(ref)
    if (target / ".git").exists():
        made = Repository.discover(target)
        made.run("update-ref", "--no-deref", "HEAD", commit)
    else:
        is_branch = name.startswith(("refs/heads/", "refs/remotes/"))
        made = _make(call, source, target, commit, f"refs/heads/{short}" if is_branch else "")
    _fill(call, made, commit)
    bring_submodules(call, target, None)
    call.outputs["ref"], call.outputs["commit"] = ref, commit
    call.say(f"brought {ref} ({commit[:12]}) of {call.session.request.repository}")
    return Outcome(Result.SUCCESS)


def _fill(call: ActionCall, made: Repository, commit: str) -> None:
    made.run("read-tree", commit)
    rule = sparse_rule(call)
    if rule:
        keep_sparse(made, rule)
    made.run("checkout-index", "-a", "-f", "-q")


def _unknown(ref: str) -> Unsupported:
    return Unsupported(
        "checks.checkout_ref",
        f"checkout of another ref ({ref}) than the one under test: this repository has no such branch, tag or commit.",
        f"fetch it first: git fetch origin {ref}",
    )


def _bring_other(call: ActionCall, target: Path, repository: str) -> Outcome:
    """Another repository, fetched without credentials from the base address of actions."""
    from ecluse.git.elsewhere import fetch_commit, list_remote

    remote = call.session.remote
    if repository.count("/") != 1 or repository.startswith("-"):
        raise Invalid("checks.action_name", f"'{repository}' is no OWNER/REPO.", "correct the input repository")
    url = f"{call.input('github-server-url', remote.url).rstrip('/')}/{repository}"
    ref = call.input("ref")
    check_address(call, url)
    try:
        refs = list_remote(url)
    except Problem as problem:
        raise Unsupported(
            "checks.checkout_repository",
            f"checkout of another repository ({repository}) did not work: {problem.message}",
            "Look whether it can be reached without credentials; private ones are not fetched here.",
        ) from problem
    names = [ref, f"refs/heads/{ref}", f"refs/tags/{ref}^{{}}", f"refs/tags/{ref}"] if ref else ["HEAD"]
    found = next((name for name in names if name in refs), "")
    commit = refs.get(found) or (ref.lower() if len(ref) in (40, 64) else "")
    made = Repository.create(target)
    if not commit or not fetch_commit(made, url, commit, found.removesuffix("^{}")):
        raise Unsupported(
            "checks.checkout_ref", f"{url} has no ref '{ref}'.", f"see which there are: git ls-remote {url}"
        )
    if call.input("fetch-depth", "1") == "0":
        made.run(
            "fetch", "-q", "--unshallow", url, "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*",
            check=False,
        )  # fmt: skip
    made.set_config("remote.origin.url", url)
    made.set_config("remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*")
    made.run("update-ref", "--no-deref", "HEAD", commit)
    _fill(call, made, commit)
    bring_submodules(call, target, None)
    call.outputs["ref"], call.outputs["commit"] = ref, commit
    call.say(f"brought {repository} at {commit[:12]}")
    return Outcome(Result.SUCCESS)
