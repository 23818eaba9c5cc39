"""Which repository a bundle belongs to: named by the first commits of its history and by its remote.

Only a bundle that can be used in no way here is refused for that. Roots that are not known (a shallow clone) and
remotes that differ (forks, other spellings of one address) refuse nothing by themselves.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from ecluse.clock import instant
from ecluse.errors import Problem, Refused
from ecluse.files import FileLock, write_atomically
from ecluse.git import Repository
from ecluse.git.remotes import public_address
from ecluse.intake.manifest import Manifest, clean

_ROOTS = 10
_KNOWN = 100
_HOPELESS = ("base.missing", "base.unrelated", "base.does_not_apply")


def roots_of(repository: Repository, head: str) -> tuple[str, ...]:
    """The first commits of the history of ``head``; none where the history is cut off (a shallow clone)."""
    if (repository.common_dir / "shallow").exists():
        return ()
    return tuple(repository.text("rev-list", "--max-parents=0", head).split()[:_ROOTS])


def remote_of(repository: Repository) -> str:
    """The public address of the repository's main remote; empty when it has none."""
    known = repository.settings()
    found = (
        known.owned("remote.", ".url")
        if known and known.knows_own
        else {"remote.origin.url": repository.config("remote.origin.url")}
    )
    urls = {key[7:-4]: url for key, url in found.items() if url}
    first = "origin" if "origin" in urls else min(urls, default="")
    return clean(public_address(urls[first])) if first else ""


def is_elsewhere(repository: Repository, claims: Manifest | None) -> bool:
    """Whether the bundle names its history's first commits and none of them is here."""
    if claims is None or not claims.roots or (repository.common_dir / "shallow").exists():
        return False
    return not _holds_any(repository, claims.roots)


def explain(repository: Repository, claims: Manifest | None, problem: Refused) -> Refused:
    """``problem``, or ``repository.other`` with the right repository's name where the bundle belongs to another one."""
    if problem.code not in _HOPELESS or claims is None or not is_elsewhere(repository, claims):
        return problem
    path = find_home(claims.roots)
    names = [f"the remote {clean(claims.remote)}" if claims.remote else "", f"the checkout {path}" if path else ""]
    where = " and ".join(name for name in names if name) or "a repository that is not known on this machine"
    hint = f"ecluse import -C {path} BUNDLE" if path else "cd to a clone of that repository and import there"
    return Refused(
        "repository.other",
        f"The bundle was made in another repository: its history begins with {claims.roots[0][:12]}, "
        f"which is not here. It belongs to {where}.",
        hint,
        {"roots": list(claims.roots), "remote": claims.remote, "path": str(path or "")},
    )


def remember(repository: Repository) -> None:
    """Keep where this repository lies, so that a bundle for it can be told where it belongs. Failing stops nothing."""
    place = _registry()
    where = str(repository.work_tree or repository.common_dir)
    with contextlib.suppress(OSError, Problem):
        place.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(place.with_suffix(".lock")).held():
            rows = [row for row in _rows(place) if row.get("path") != where]
            rows = [{"path": where, "remote": remote_of(repository), "at": instant()}, *rows][:_KNOWN]
            write_atomically(place, json.dumps(rows, indent=1).encode("ascii") + b"\n")


def find_home(roots: tuple[str, ...]) -> Path | None:
    """A repository that `ecluse init` saw on this machine and that holds one of ``roots``, or ``None``."""
    for row in _rows(_registry()):
        path = Path(str(row.get("path", "")))
        with contextlib.suppress(Problem, OSError):
            if path.is_absolute() and path.is_dir() and _holds_any(Repository.discover(path), roots):
                return path
    return None


def home_elsewhere(repository: Repository, commits: tuple[str, ...]) -> Path | None:
    """The repository on this machine that holds one of ``commits`` and has no history in common with this one."""
    head = repository.resolve("HEAD")
    roots = roots_of(repository, head) if head else ()
    home = find_home(commits) if roots else None
    return home if home is not None and not _holds_any(Repository.discover(home), roots) else None


def _holds_any(repository: Repository, roots: tuple[str, ...]) -> bool:
    """Whether one of these commits is here, asked in one question."""
    asked = "".join(f"{root}\n" for root in roots[:_ROOTS]).encode("ascii")
    said = repository.run("cat-file", "--batch-check=%(objecttype)", stdin=asked).stdout.decode("ascii", "replace")
    return "commit" in said.split("\n")


def _registry() -> Path:
    own = os.environ.get("ECLUSE_HOME")
    data = os.environ.get("XDG_DATA_HOME")
    base = Path(own) if own else (Path(data) if data else Path.home() / ".local" / "share") / "ecluse"
    return base / "repositories.json"


def _rows(place: Path) -> list[dict[str, Any]]:
    try:
        found = json.loads(place.read_bytes())
    except (OSError, ValueError):
        return []
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []
