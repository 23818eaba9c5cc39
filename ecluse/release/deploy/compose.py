"""``docker compose`` on hosts: the compose files and what they need of this very commit, pull, up.

With ``source = "upload"`` the commit's files go to a release folder (:mod:`upload`); with ``source = "git"`` the tag is
fetched and checked out in the host's own clone at ``path``, and must be the commit that was tested. Compose runs with
``ECLUSE_VERSION``, ``ECLUSE_COMMIT`` and, after ``image.push``, ``ECLUSE_IMAGE`` (name and digest of the first one) and
``NAME_IMAGE`` for each, NAME being the last word of the image's path (``registry/team/api`` is ``API_IMAGE``), so that a
compose file can pin what was built; a rollback runs with those of the version it returns to.
"""

from __future__ import annotations

import re
import shlex

from ecluse.errors import Invalid
from ecluse.model import Deployment
from ecluse.release.context import Context
from ecluse.release.deploy.carrier import effect
from ecluse.release.deploy.host import Host
from ecluse.release.deploy.upload import ByUpload

CHECKOUT = """\
set -eu
cd "$1"
git fetch --quiet origin "+refs/tags/$2:refs/tags/$2"
at=$(git rev-parse "refs/tags/$2^{commit}")
if [ "$at" != "$3" ]; then echo "$2 is $at in this clone, not $3" >&2; exit 1; fi
git checkout --quiet --detach "$3"
"""
RETURN = 'cd "$1" && git checkout --quiet --detach "$2"'
HEAD = 'cd "$1" && git rev-parse HEAD'
KEEP = 'mkdir -p "$1/.ecluse" && cat > "$1/.ecluse/.part-$2" && mv "$1/.ecluse/.part-$2" "$1/.ecluse/$2"'


class ByCompose(ByUpload):
    """Compose on every host of the environment, one host after the other."""

    step = "deploy.compose"

    def location(self, version: str, release_id: str) -> str:
        return self.root if self.by_git else super().location(version, release_id)

    @property
    def by_git(self) -> bool:
        return self.target.source == "git"

    @property
    def is_program(self) -> bool:
        """Whether compose is a program of its own (docker-compose, podman-compose) and no plugin of the engine."""
        return self.target.engine[-1].endswith("-compose")

    def missing(self, made: Deployment) -> str:
        if not self.by_git:
            return super().missing(made)
        for host in self.hosts:
            script = 'cd "$1" && git cat-file -e "$2^{commit}"'
            if host.run(script, [self.root, made.commit], check=False).code != 0:
                return f"the clone {self.root} on {host.label} does not hold its commit {made.commit[:12]}"
        return ""

    def bring(self, context: Context, made: Deployment) -> str:
        images = _images(context)
        for number, host in enumerate(self.hosts, 1):
            host.run(KEEP, [self.root, _file(made)], stdin=self._facts(made, images))
            if self.by_git:
                self._check_out(context, made, host, number)
            else:
                self._fill(context, made, host, number)
                self._switch(context, context.effect(f"switch.{number}"), host, made.location)
            self._restart(context, context.effect(f"up.{number}"), host, made, made.location)
        what = ", ".join(images.values()) or f"v{made.version}"
        return f"{what} is up on {', '.join(host.label for host in self.hosts)} with {' '.join(self.target.compose)}"

    def back(self, context: Context, previous: Deployment) -> None:
        for number, host in self.touched(context):
            if self.by_git:
                effect(
                    context,
                    context.back(f"checkout.{number}"),
                    lambda host=host: {"was": self._return(host, previous)},  # type: ignore[misc]
                    lambda host=host: host.text(HEAD, [self.root]) == previous.commit,  # type: ignore[misc]
                    {"host": host.name, "commit": previous.commit},
                )
            else:
                self._switch(context, context.back(f"switch.{number}"), host, previous.location)
            self._restart(context, context.back(f"up.{number}"), host, previous, previous.location)

    def halt(self, context: Context) -> str:
        made = context.deployment
        if made is None:
            return "nothing was brought up"
        for number, host in self.touched(context):
            script = f"{self._words(made)} stop"
            self._once(context, context.back(f"stop.{number}"), host, made, made.location, script)
        return f"the containers in {self.target.name} are stopped"

    def prune(self, context: Context) -> None:
        if not self.by_git:
            super().prune(context)

    def running(self, host: Host | None = None) -> str | None:
        if self.by_git and not self.target.commands.get("running"):
            script = 'cd "$1" && git describe --tags --exact-match 2>/dev/null || true'
            return (host or self.hosts[0]).text(script, [self.root]).removeprefix("v")
        return super().running(host)

    def restart_script(self, made: Deployment) -> str:
        words = self._words(made)
        spares = "" if self.is_program else " --ignore-buildable"  # the older programs leave those out by themselves
        return f"{words} pull{spares} && {words} up -d --remove-orphans"

    def _words(self, made: Deployment) -> str:
        """The compose command in the folder of ``made``, with the facts that were kept for it."""
        project = re.sub(r"[^a-z0-9_-]", "-", self.target.root.name.lower()).strip("-_") or "ecluse"
        files = [word for name in self.target.compose for word in ("-f", name)]
        engine = [*self.target.engine] if self.is_program else [*self.target.engine, "compose"]
        words = shlex.join([*engine, "-p", project, *files])
        return f"set -a; . {shlex.quote(f'{self.root}/.ecluse/{_file(made)}')}; set +a; {words}"

    def _facts(self, made: Deployment, images: dict[str, str]) -> bytes:
        lines = {**images, **self.variables(made), "ECLUSE_IMAGE": next(iter(images.values()), "")}
        return "".join(f"{name}={shlex.quote(value)}\n" for name, value in lines.items()).encode()

    def _check_out(self, context: Context, made: Deployment, host: Host, number: int) -> None:
        if not context.release.version:
            raise Invalid("deploy.no_version", "A checkout needs a tag, and no version was decided.", "semver.decide")
        tag = f"v{made.version}"

        def do() -> dict[str, str]:
            before = host.text(HEAD, [self.root])
            host.run(CHECKOUT, [self.root, tag, made.commit], timeout_s=1800)
            return {"was": before}

        effect(
            context,
            context.effect(f"checkout.{number}"),
            do,
            lambda: host.text(HEAD, [self.root]) == made.commit,
            {"host": host.name, "tag": tag, "commit": made.commit},
        )

    def _return(self, host: Host, previous: Deployment) -> str:
        before = host.text(HEAD, [self.root])
        host.run(RETURN, [self.root, previous.commit])
        return before


def _file(made: Deployment) -> str:
    return f"{made.version or made.commit[:12]}-{made.release}.env"


def _images(context: Context) -> dict[str, str]:
    """Variable -> name and digest, for each image that this release pushed, in that order."""
    steps = context.release.outputs.get("steps", {}).values()
    pushed = [str(step["result"]["image"]) for step in steps if step.get("result", {}).get("image")]
    return {variable_of(image): image for image in pushed}


def variable_of(image: str) -> str:
    """The variable that a compose file knows an image by: ``registry/team/web-app@sha256:…`` is ``WEB_APP_IMAGE``."""
    last = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    return re.sub(r"[^A-Z0-9]+", "_", last.upper()).strip("_") + "_IMAGE"
