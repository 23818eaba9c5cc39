"""What package managers downloaded, kept between runs for the ``cache`` inputs of setup actions.

The manager gets a cache folder of the job's own, by the variable it reads: a run leaves nothing in the home of whoever
runs it, and keeps just what the job used. A workflow that sets the variable itself has its own folder kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ecluse.checks.actions import ActionCall
from ecluse.checks.actions.cache import Wish, restore, save_at_the_end
from ecluse.checks.contexts import runner_architecture, runner_os


@dataclass(frozen=True, slots=True)
class Manager:
    """A package manager: variables that name its cache folder, and what below it is not worth keeping."""

    variables: tuple[str, ...]
    without: tuple[str, ...] = ()


MANAGERS = {
    "pip": Manager(("PIP_CACHE_DIR",)),
    "pipenv": Manager(("PIPENV_CACHE_DIR", "PIP_CACHE_DIR")),
    "poetry": Manager(("POETRY_CACHE_DIR",), ("virtualenvs",)),
    "npm": Manager(("npm_config_cache",), ("_logs", "_update-notifier-last-checked")),
    "yarn": Manager(("YARN_CACHE_FOLDER",)),
    "pnpm": Manager(("npm_config_store_dir", "pnpm_config_store_dir")),
    "uv": Manager(("UV_CACHE_DIR",)),
}
"""By the name that setup actions know them by."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What became of a package cache: its key, the key it was found under (or nothing), and its folder."""

    key: str
    found: str
    folder: Path

    @property
    def is_exact(self) -> bool:
        return self.key == self.found


def use_package_cache(
    call: ActionCall,
    manager: str,
    words: Sequence[str],
    *,
    prefix: str = "",
    keep: bool = True,
    look: bool = True,
    before: Callable[[ActionCall], None] | None = None,
) -> Restored:
    """Restore what ``manager`` downloaded in an earlier run, and have it kept at the end of this job.

    The key is ``words``, after system and architecture; ``prefix`` is the beginning of keys to make do with. Without
    ``look`` nothing is restored, without ``keep`` nothing is kept, ``before`` tidies up first.
    """
    session, known = call.session, MANAGERS[manager]
    folder = session.folder / "caches" / manager
    own = session.request.env | session.env | call.frame.env | call.env
    for variable in known.variables:
        if own.get(variable):
            folder = Path(own[variable])
        else:
            session.env[variable] = str(folder)
    head = f"{runner_os()}-{runner_architecture()}"
    lines = (str(folder), *(f"!{folder}/{name}" for name in known.without))
    wish = Wish("-".join([head, *words]), (f"{head}-{prefix}",) if prefix else (), lines)
    hit = restore(call, wish) if look else None
    found = hit.key if hit is not None else ""
    if keep:
        save_at_the_end(call, wish, found == wish.key, before=before)
    return Restored(wish.key, found, folder)
