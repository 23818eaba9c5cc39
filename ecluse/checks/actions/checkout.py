"""``actions/checkout``: brings the tree under test into the workspace, uncommitted files included.

Of a git work tree these are the tracked files and the untracked ones that are not ignored, with a ``.git`` that
borrows the objects of the tree's repository; of any other folder they are all files.
"""

from __future__ import annotations

from pathlib import Path

from ecluse.checks.actions import ActionCall, Outcome
from ecluse.checks.placing import empty, inside, list_files, place
from ecluse.errors import Unsupported
from ecluse.git import Repository, list_work_files
from ecluse.model import Result

_WITHOUT_EFFECT = ("sparse-checkout", "lfs", "ssh-key", "filter")


def run(call: ActionCall) -> Outcome:
    """Copy the tree. Raises :class:`Unsupported` for another repository, another ref, or submodules."""
    session = call.session
    _refuse(call)
    target = inside(session.workspace, call.input("path", "."), "path")
    target.mkdir(parents=True, exist_ok=True)
    if call.flag("clean", True):
        empty(target)
    names = list_work_files(session.tree)
    if names is not None:
        _borrow(call, target)
    copied = place(session.tree, target, names if names is not None else list_files(session.tree))
    call.outputs["ref"] = call.input("ref", str(session.github["ref"]))
    call.outputs["commit"] = str(session.github["sha"])
    for name in _WITHOUT_EFFECT:
        if call.input(name):
            call.say(f"##[notice]checkout: the input {name} has no effect here, all files are brought")
    call.say(f"brought {copied} files of {session.request.repository}")
    return Outcome(Result.SUCCESS)


def _refuse(call: ActionCall) -> None:
    github = call.session.github
    wanted = call.input("repository")
    if wanted and wanted.lower() != str(github["repository"]).lower():
        raise Unsupported(
            "checks.checkout_repository",
            f"checkout of another repository ({wanted}) is not supported here yet.",
            "Fetch it in a `run` step with git clone.",
        )
    ref = call.input("ref")
    here = {github["ref"], github["ref_name"], github["sha"], github["head_ref"], call.session.request.ref}
    here.add(call.session.request.ref.removeprefix("refs/heads/"))
    pull = github["event"].get("pull_request") if isinstance(github["event"], dict) else None
    here.add(((pull or {}).get("head") or {}).get("sha"))
    if ref and ref not in here:
        raise Unsupported(
            "checks.checkout_ref",
            f"checkout of another ref ({ref}) than the one under test is not supported here yet.",
            "Fetch it in a `run` step with git.",
        )
    if call.input("submodules", "false").lower() != "false" and (call.session.tree / ".gitmodules").exists():
        raise Unsupported(
            "checks.checkout_submodules",
            "checkout with submodules is not supported here yet.",
            "Fetch them in a `run` step with: git submodule update --init",
        )


def _borrow(call: ActionCall, target: Path) -> None:
    """Give the workspace a repository at the tree's commit, unless it already has one."""
    if (target / ".git").exists():
        return
    source = Repository.discover(call.session.tree)
    commit = source.resolve("HEAD")
    if commit is None or source.work_tree is None or source.work_tree.resolve() != call.session.tree:
        return
    made = source.borrow(target)
    branch = call.session.request.ref
    if branch.startswith("refs/heads/") and made.valid_ref(branch):
        made.run("symbolic-ref", "HEAD", branch)
    made.run("update-ref", "HEAD", commit)
    made.run("read-tree", commit)
    origin = source.config("remote.origin.url")
    if origin and "@" not in origin.partition("://")[2].partition("/")[0]:  # an address with a password stays here
        made.set_config("remote.origin.url", origin)
