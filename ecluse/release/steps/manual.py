"""``docs/steps.md``, made of the shapes and of the policy's settings: ``python -m ecluse.release.steps.manual > docs/steps.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from ecluse import config
from ecluse.release.steps import ACTIONS, shape_of
from ecluse.release.steps.shape import Shape
from ecluse.settings import MISSING, Section

INTRO = """\
# The steps of a playbook

This page is made from the code (`python -m ecluse.release.steps.manual`); a test compares them.

A step of a playbook says `uses: NAME key=value`. Values with spaces stand in quotes. A value may hold words such as
`{version}`, `{previous}`, `{environment}`, `{commit}`, `{inputs.NAME}` and `{outputs.NAME}`. A length of time is `90 s`,
`15 min`, `8 h` or `2 days`; a bare number is seconds.

Every effect is journalled before it is begun and after it is done. After a death it is looked for in the world first
(*found again by*), so that it happens once; what cannot be seen is asked. An *irreversible* step does something that a
rollback cannot take back, so a gate belongs before it. A step that *goes live* reaches the environment, and production
needs an approval that holds for exactly this commit and plan.

**Hosts.** Commands reach a host through `ssh` (OpenSSH) in batch mode: its key has to be known, and nothing is asked.
`.` is this machine, through the same commands. A host needs a POSIX shell, `tar`, `sha256sum`, `stat` and `mv -T` (GNU or
BusyBox), and nothing of Écluse. A command that starts a service has to let go of it (`setsid PROGRAM > log 2>&1 < /dev/null &`).

**Compose** is the engine's plugin (`docker compose`), or a program of its own: `engine = ["docker-compose"]`. After
`image.push` the compose file finds name and digest in `ECLUSE_IMAGE`, so that `image: "${ECLUSE_IMAGE}"` runs what was built.

**Secrets** are named in the policy and never stand there. The value of `NAME` is the file `.git/ecluse/secrets/NAME`
(readable by its owner only), else the variable `NAME` of the process. Values go by standard input or in a header, are
hidden in what commands say, and are never recorded.

**Agents** (`agent.run`) and the policy's commands run as you, in no sandbox: the policy on the trunk is trusted. What an
agent makes is not: it goes through intake, and waits for a person like any change of a stranger. `ECLUSE_BASE` is the
commit it begins at; one that hands over by itself (it worked elsewhere, say) writes its bundle to `ECLUSE_CHANGE`.

**Backups** are made by your own commands. For SQLite and PostgreSQL, for example:

```toml
[environments.production.backup]
folder = "/var/backups/app"
files = "app-*.dump"
make = 'pg_dump -Fc -f "$ECLUSE_BACKUP" app'              # or: sqlite3 /srv/app/app.db ".backup '$ECLUSE_BACKUP'"
restore = 'pg_restore --clean --if-exists -d app "$ECLUSE_BACKUP"'   # or: sqlite3 /srv/app/app.db ".restore '$ECLUSE_BACKUP'"
count = 'for t in people notes; do printf "%s " $t; psql -XAtqd "${DB:-app}" -c "SELECT count(*) FROM $t"; done'
test = 'createdb scratch && trap "dropdb scratch" EXIT && pg_restore -d scratch "$ECLUSE_BACKUP" && DB=scratch && for t in people notes; do printf "%s " $t; psql -XAtqd "${DB:-app}" -c "SELECT count(*) FROM $t"; done'
```
"""

SETTINGS: tuple[tuple[str, type[Section]], ...] = (
    ("environments.NAME", config.EnvironmentConfig),
    ("environments.NAME.commands", config.CommandsConfig),
    ("environments.NAME.backup", config.BackupConfig),
    ("environments.NAME.watch", config.WatchConfig),
    ("environments.NAME.watch.metrics", config.MetricConfig),
    ("environments.NAME.watch.monitors", config.MonitorConfig),
    ("agents.NAME", config.AgentConfig),
    ("forge", config.ForgeConfig),
)
"""Section of ``ecluse.toml`` -> its settings, for those that steps read."""


def page() -> str:
    """The whole page."""
    return "\n".join([INTRO, *_overview(), *_each(), *_settings()]).rstrip() + "\n"


def _overview() -> Iterator[str]:
    yield "## All steps"
    yield ""
    yield "| step | what it does | goes live | irreversible |"
    yield "|---|---|---|---|"
    for shape in _shapes():
        anchor = shape.name.replace(".", "")
        live, final = "yes" if shape.goes_live else "", "yes" if shape.irreversible else ""
        yield f"| [`{shape.name}`](#{anchor}) | {_cell(shape.summary)} | {live} | {final} |"
    yield ""


def _each() -> Iterator[str]:
    for shape in _shapes():
        yield f"## {shape.name}"
        yield ""
        yield f"{shape.summary[0].upper()}{shape.summary[1:]}."
        yield ""
        yield from _list("Keys", _keys(shape))
        yield from _list("Result", shape.outputs)
        notes = [
            ("Needs an environment.", shape.environment),
            ("The release goes on from another commit.", shape.moves_commit),
            ("Goes live.", shape.goes_live),
            ("Irreversible.", shape.irreversible),
        ]
        said = " ".join(text for text, true in notes if true)
        if shape.effect:
            said = f"Changes: {shape.effect}. Found again by: {shape.probe}. {said}".rstrip()
        if said:
            yield said
            yield ""


def _keys(shape: Shape) -> dict[str, str]:
    return {key: f"{text}{' (required)' if key in shape.required else ''}" for key, text in shape.keys.items()}


def _list(title: str, entries: dict[str, str]) -> Iterator[str]:
    if not entries:
        return
    yield f"{title}:"
    yield ""
    for name, text in entries.items():
        yield f"- `{name}`: {text}"
    yield ""


def _settings() -> Iterator[str]:
    yield "## Settings"
    yield ""
    yield "What steps read of `ecluse.toml` on the trunk."
    yield ""
    for section, model in SETTINGS:
        yield f"### [{section}]"
        yield ""
        yield "| setting | default | what it is |"
        yield "|---|---|---|"
        for name, field in model.settings().items():
            yield f"| `{name}` | {_default(field.default)} | {_cell(field.description)} |"
        yield ""


def _default(value: object) -> str:
    if value is MISSING:
        return "required"
    if value is None or value in ("", (), {}) or isinstance(value, Section):
        return ""
    return f"`{list(value) if isinstance(value, tuple) else value}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _shapes() -> Iterator[Shape]:
    for name in sorted(ACTIONS):
        shape = shape_of(name)
        if shape is not None:
            yield shape


if __name__ == "__main__":
    sys.stdout.write(page())
