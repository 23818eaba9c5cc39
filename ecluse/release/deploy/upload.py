"""Release folders on hosts: upload by content, an atomic switch of the link ``current``, a restart command.

On each host ``<path>/releases/<version>-<release>`` holds a release, ``<path>/current`` is a link to one of them, and
``<path>/.ecluse`` keeps the marks by which an effect that was cut short is found again. The host needs a POSIX shell,
``tar``, ``sha256sum`` and ``mv -T`` (GNU or BusyBox); nothing is installed there.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from ecluse.model import Deployment
from ecluse.release.context import Context
from ecluse.release.deploy.carrier import Carrier, effect
from ecluse.release.deploy.host import Host
from ecluse.release.deploy.parcel import parcel

INVENTORY = """\
cd "$1/current" 2>/dev/null || exit 0
pwd -P
find . -type f -exec sha256sum {} +
"""
FILL = """\
set -eu
name=$2 old=$3
mkdir -p "$1/releases"
cd "$1/releases"
[ ! -d "$name" ] || exit 0
rm -rf ".part-$name"
mkdir ".part-$name"
cd ".part-$name"
tar -xf -
mkdir -p tree
tab=$(printf '\\t')
while IFS="$tab" read -r from to; do cp "$old/$from" "tree/$to"; chmod 644 "tree/$to"; done < control/copy
while read -r to; do chmod 755 "tree/$to"; done < control/run
cd tree
sha256sum -c ../control/sums > ../control/checked || { grep -v ': OK$' ../control/checked >&2; exit 1; }
cd ../..
mv -T ".part-$name/tree" "$name"
rm -rf ".part-$name"
"""
SWITCH = """\
set -eu
cd "$1"
if [ -e current ] && [ ! -L current ]; then echo "$1/current is not a link, it was left alone" >&2; exit 1; fi
if [ -z "$2" ]; then rm -f current; exit 0; fi
ln -s "$2" ".current-$$"
mv -T ".current-$$" current
"""
CURRENT = 'readlink "$1/current" || true'
COMMAND = """\
set -eu
mkdir -p "$1/.ecluse"
cd "$2"
sh -c "$3"
: > "$1/.ecluse/$4"
"""
MARKED = '[ -e "$1/.ecluse/$2" ] && echo yes || true'
PRUNE = """\
set -eu
cd "$1/releases" 2>/dev/null || exit 0
rm -rf .part-*
live=$(basename "$(readlink ../current || true)")
count=0
for name in $(ls -1t); do
  count=$((count + 1))
  if [ "$count" -gt "$2" ] && [ "$name" != "$live" ] && [ "$name" != "$3" ]; then rm -rf -- "./$name"; fi
done
"""


class ByUpload(Carrier):
    """Folders side by side on every host of the environment, one host after the other."""

    step = "deploy.folder"

    @property
    def root(self) -> str:
        return str(self.target.root)

    def location(self, version: str, release_id: str) -> str:
        return f"{self.root}/releases/{version}-{release_id}"

    def missing(self, made: Deployment) -> str:
        for host in self.hosts:
            if host.run('[ -d "$1" ]', [made.location], check=False).code != 0:
                return f"its folder {made.location} is gone from {host.label}"
        return ""

    def bring(self, context: Context, made: Deployment) -> str:
        told = []
        for number, host in enumerate(self.hosts, 1):
            sent = self._fill(context, made, host, number)
            self._switch(context, context.effect(f"switch.{number}"), host, made.location)
            self._restart(context, context.effect(f"start.{number}"), host, made, made.location)
            told.append(f"{host.label} ({sent})")
        return f"{PurePosixPath(made.location).name} is current on {', '.join(told)}"

    def back(self, context: Context, previous: Deployment) -> None:
        for number, host in self.touched(context):
            self._switch(context, context.back(f"switch.{number}"), host, previous.location)
            self._restart(context, context.back(f"start.{number}"), host, previous, previous.location)

    def halt(self, context: Context) -> str:
        touched = self.touched(context)
        for number, host in touched:
            self._stop(context, host, number)
            self._switch(context, context.back(f"switch.{number}"), host, "")
        if not touched:
            return f"nothing had changed in {self.target.name}"
        if self.target.commands.get("stop"):
            return f"the service in {self.target.name} is stopped"
        return f"`current` is gone, but {self.target.name} has no commands.stop: its service may still run"

    def prune(self, context: Context) -> None:
        live = context.live
        keep = PurePosixPath(live.location).name if live else ""
        for host in self.hosts:
            host.run(PRUNE, [self.root, str(self.target.keep), keep])

    def running(self, host: Host | None = None) -> str | None:
        if self.target.commands.get("running"):
            return super().running(host)
        asked = host or self.hosts[0]
        return asked.text('cat "$1/current/RELEASE" 2>/dev/null || true', [self.root]).removeprefix("v")

    def _fill(self, context: Context, made: Deployment, host: Host, number: int) -> str:
        name = PurePosixPath(made.location).name

        def send() -> dict[str, object]:
            folder, there = _inventory(host, self.root)
            with parcel(context.repository, made.commit, made.version, there) as packed:
                host.run(FILL, [self.root, name, folder], stdin=packed.archive, timeout_s=3600)
                return {"sent": packed.sent, "kept": packed.kept, "bytes": packed.size}

        done = effect(
            context,
            context.effect(f"fill.{number}"),
            send,
            lambda: host.run('[ -d "$1" ]', [made.location], check=False).code == 0,
            {"host": host.name, "location": made.location},
        )
        return f"{done.get('sent', '?')} files sent, {done.get('kept', '?')} were there"

    def _switch(self, context: Context, name: str, host: Host, location: str) -> None:
        relative = f"releases/{PurePosixPath(location).name}" if location else ""
        effect(
            context,
            name,
            lambda: {"before": host.text(CURRENT, [self.root]), "switched": self._point(host, relative)},
            lambda: host.text(CURRENT, [self.root]) == relative,
            {"host": host.name, "current": relative},
        )

    def _point(self, host: Host, relative: str) -> bool:
        host.run(SWITCH, [self.root, relative])
        return True

    def _restart(self, context: Context, name: str, host: Host, made: Deployment, folder: str) -> None:
        script = self.restart_script(made)
        if script:
            self._once(context, name, host, made, folder, script)

    def restart_script(self, made: Deployment) -> str:
        """The command that starts ``made`` anew in its folder."""
        return self.target.commands.get("restart", "")

    def _once(self, context: Context, name: str, host: Host, made: Deployment, folder: str, script: str) -> None:
        """A command of the user's, done once: a mark is left on the host as soon as it has ended well."""
        mark = f"{context.release.id}-{name}"
        effect(
            context,
            name,
            lambda: self._command(host, made, folder, script, mark),
            lambda: host.text(MARKED, [self.root, mark]) == "yes",
            {"host": host.name, "folder": folder},
        )

    def _command(self, host: Host, made: Deployment, folder: str, script: str, mark: str) -> None:
        host.run(COMMAND, [self.root, folder, script, mark], variables=self.variables(made))

    def _stop(self, context: Context, host: Host, number: int) -> None:
        script = self.target.commands.get("stop", "")
        made = context.deployment
        if script and made is not None:
            self._once(context, context.back(f"stop.{number}"), host, made, self.root, script)


def _inventory(host: Host, root: str) -> tuple[str, dict[str, str]]:
    """The folder that is live on the host, and what it holds: SHA-256 -> path. Names that need escaping are left out."""
    lines = host.run(INVENTORY, [root], timeout_s=600).stdout.decode("utf-8", "surrogateescape").splitlines()
    there = {}
    for line in lines[1:]:
        digest, _, path = line.partition("  ")
        if len(digest) == 64 and path.startswith("./"):
            there[digest] = path[2:]
    return (lines[0] if lines else ""), there
