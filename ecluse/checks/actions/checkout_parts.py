"""Parts of a checkout: how much history it shows, which files it leaves out, and its submodules."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urljoin

from ecluse.checks.actions import ActionCall
from ecluse.checks.placing import inside, place
from ecluse.errors import Invalid, Unsupported
from ecluse.git import Repository, list_work_files

_MOST_COMMITS = 20_000

Rule = Callable[[Sequence[str]], set[str]]
"""Takes paths and gives those that are kept."""


def cut_history(made: Repository, commit: str, depth: int) -> None:
    """Let ``made`` end ``depth`` commits below ``commit``, as a shallow clone does."""
    most = 1 if depth == 1 else _MOST_COMMITS
    listed = made.text("rev-list", "--parents", f"--max-count={most}", commit)
    parents = {words[0]: words[1:] for words in (line.split() for line in listed.split("\n"))}
    level, seen = {commit}, {commit}
    for _ in range(depth - 1):
        level = {parent for one in level for parent in parents.get(one, [])} - seen
        seen |= level
    edge = sorted(one for one in level if parents.get(one))
    if edge and len(parents) < _MOST_COMMITS:
        shallow = made.git_dir / "shallow"
        before = shallow.read_text().split() if shallow.exists() else []
        shallow.write_text("".join(f"{one}\n" for one in sorted({*edge, *before})))


def share_refs(source: Repository, made: Repository, *, branches: bool) -> None:
    """Give ``made`` the branches of ``source`` as those of its origin, or its tags."""
    found: dict[str, str] = {}
    if branches:
        for prefix in ("refs/remotes/origin/", "refs/heads/"):  # the tree's own branches are the newer ones
            for name, oid in source.refs(prefix).items():
                short = name.removeprefix(prefix)
                if short != "HEAD":
                    found[f"refs/remotes/origin/{short}"] = oid
    found |= source.refs("refs/tags/")
    lines = "".join(f"create {name}\0{oid}\0" for name, oid in found.items() if name not in made.refs(name))
    if lines:
        made.run("update-ref", "-z", "--stdin", stdin=os.fsencode(lines))


def sparse_rule(call: ActionCall) -> Rule | None:
    """Which paths ``sparse-checkout`` keeps; ``None`` without it.

    In cone mode these are folders, with the files beside and above them; else patterns as in ``.gitignore``.
    """
    lines = call.lines("sparse-checkout")
    if not lines:
        return None
    if not call.flag("sparse-checkout-cone-mode", True):
        return _by_patterns(call, lines)
    folders = [line.strip("/") for line in lines]
    above = {"", *(str(parent) for folder in folders for parent in Path(folder).parents if str(parent) != ".")}

    def keeps(path: str) -> bool:
        parent = path.rpartition("/")[0]
        return parent in above or any(path == folder or path.startswith(f"{folder}/") for folder in folders)

    return lambda paths: set(filter(keeps, paths))


def _by_patterns(call: ActionCall, lines: list[str]) -> Rule:
    """Asks git itself, in an empty repository whose ignored files are those to keep."""
    folder = call.session.new_file("_sparse")
    asked = Repository.create(folder)
    (asked.git_dir / "info").mkdir(exist_ok=True)
    (asked.git_dir / "info" / "exclude").write_text("\n".join(lines) + "\n")

    def keep(paths: Sequence[str]) -> set[str]:
        given = os.fsencode("".join(f"{path}\0" for path in paths))
        said = asked.run("check-ignore", "--no-index", "-z", "--stdin", stdin=given, check=False)
        return set(os.fsdecode(said.stdout).split("\0")) - {""}

    return keep


def keep_sparse(made: Repository, rule: Rule) -> None:
    """Tell git of ``made`` that the files which ``rule`` leaves out are not missing."""
    names = [name for name in os.fsdecode(made.run("ls-files", "-z").stdout).split("\0") if name]
    kept = rule(names)
    out = "".join(f"{name}\0" for name in names if name not in kept)
    made.set_config("core.sparseCheckout", "true")
    if out:
        made.run("update-index", "-z", "--skip-worktree", "--stdin", stdin=os.fsencode(out))


def bring_submodules(call: ActionCall, target: Path, source: Repository | None, depth: int = 0) -> None:
    """Fill the submodules of ``target`` when that is wanted: from the tree where they lie there, else over git.

    Raises :class:`ecluse.errors.Problem` when one cannot be had.
    """
    wish = call.input("submodules", "false").lower()
    if wish not in ("true", "recursive") or not (target / ".gitmodules").is_file() or depth > 10:
        return
    outer = Repository.discover(target)
    listed = outer.run("config", "-z", "-f", ".gitmodules", "--get-regexp", r"^submodule\..*\.(path|url)$", check=False)
    rows = [row.partition("\n")[::2] for row in os.fsdecode(listed.stdout).split("\0") if row]
    modules: dict[str, dict[str, str]] = {}
    for key, value in rows:
        name, _, field = key.removeprefix("submodule.").rpartition(".")
        modules.setdefault(name, {})[field] = value
    for module in modules.values():
        path, url = module.get("path", ""), module.get("url", "")
        place_ = inside(target, path, "submodule") if path else target
        if not path or place_ == target or path.split("/")[0] == ".git":
            raise Invalid("checks.checkout_submodules", f"A submodule has the path '{path}'.", "correct .gitmodules")
        lying = source.work_tree / path if source is not None and source.work_tree is not None else None
        if lying is not None and (lying / ".git").exists():
            inner = Repository.discover(lying)
            _borrow_module(inner, place_)
            place(lying, place_, list_work_files(lying) or [])
            call.say(f"brought the submodule {path} as it lies in the tree")
        else:
            _fetch_module(call, outer, place_, path, url)
            inner = None
        if wish == "recursive":
            bring_submodules(call, place_, inner, depth + 1)


def _borrow_module(inner: Repository, target: Path) -> None:
    """A repository in ``target`` at the commit that a submodule of the tree is at."""
    head = inner.resolve("HEAD")
    if head is not None and not (target / ".git").exists():
        made = inner.borrow(target)
        made.run("update-ref", "--no-deref", "HEAD", head)
        made.run("read-tree", head)


def _fetch_module(call: ActionCall, outer: Repository, target: Path, path: str, url: str) -> None:
    from ecluse.git.elsewhere import fetch_commit

    staged = os.fsdecode(outer.run("ls-files", "-s", "-z", "--", path).stdout).split()
    if len(staged) < 2 or staged[0] != "160000":
        return
    if url.startswith(("./", "../")):
        url = _joined(outer.config("remote.origin.url") or "", url)
    check_address(call, url)
    shutil.rmtree(target, ignore_errors=True)
    made = Repository.create(target)
    if not fetch_commit(made, url, staged[1], "HEAD"):
        raise Unsupported(
            "checks.checkout_submodules",
            f"{url} has no commit {staged[1]} for the submodule {path}.",
            f"git ls-remote {url}",
        )
    made.run("update-ref", "--no-deref", "HEAD", staged[1])
    made.run("read-tree", staged[1])
    made.run("checkout-index", "-a", "-f", "-q")
    made.set_config("remote.origin.url", url)
    call.say(f"brought the submodule {path} of {url}")


def check_address(call: ActionCall, url: str) -> None:
    """Raise :class:`Unsupported` for an address that a file of the tree may not make us ask.

    We ask it outside whatever holds the job in: other folders of this machine, and hosts that know our keys, are out.
    """
    is_base = url.startswith(f"{call.session.remote.url}/") and ".." not in url.split("/")
    if not is_base and not url.startswith(("https://", "http://")):
        raise Unsupported(
            "checks.address", f"The address '{url}' is not asked from here.", "Write it as https://HOST/OWNER/REPO."
        )


def _joined(origin: str, relative: str) -> str:
    """The address that a relative one means, seen from ``origin``."""
    if "://" in origin:
        scheme, _, rest = origin.partition("://")
        return f"{scheme}://" + urljoin(f"http://{rest}/", relative).removeprefix("http://").rstrip("/")
    return os.path.normpath(f"{origin}/{relative}")
