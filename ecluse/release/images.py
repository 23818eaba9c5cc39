"""Container images with the engine that is there: build from exactly a commit, push, and what their digests are."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ecluse import process
from ecluse.errors import Failed, Invalid
from ecluse.release.context import Context

ENGINES = ("docker", "podman")
TIMEOUT_S = 3600.0


def engine_of(named: str) -> str:
    """The engine's program. Raises :class:`Failed` when there is none, or when it does not answer."""
    wanted = (named,) if named else ENGINES
    found = next((name for name in wanted if process.which(name)), None)
    if found is None:
        raise Failed(
            "image.no_engine",
            f"No container engine is on this machine ({' and '.join(wanted)} were looked for), and images need one.",
            "install docker or podman, or deploy with another method: docs/steps.md",
        )
    answer = process.run([found, "version", "--format", "{{json .}}"], check=False, timeout_s=60)
    if answer.code != 0:
        said = answer.stderr.decode("utf-8", "replace").strip()[-300:]
        raise Failed("image.engine_silent", f"{found} does not answer: {said}", f"{found} version")
    return found


def name_of(context: Context) -> str:
    """``registry/name:tag`` of the step. Raises :class:`Invalid` when its words leave a gap."""
    name = context.argument("name")
    if "{" in name or not name or name.endswith(":") or name.startswith("-"):
        raise Invalid("image.name", f"name={name} is not an image's name.", "ecluse playbook lint")
    return name


def build(engine: str, context: Context, name: str, folder: str, file: str) -> str:
    """Build ``name`` from the release's commit; return the image's id (``sha256:…``)."""
    release = context.release
    with context.repository.temporary_clone(bare=False) as clone:
        clone.check_out(release.commit)
        assert clone.work_tree is not None  # noqa: S101 - made with one
        top = clone.work_tree / folder
        if not (top / file).is_file():
            raise Failed(
                "image.no_file", f"There is no {Path(folder, file)} in {release.commit[:12]}.", "ecluse playbook lint"
            )
        labels = {
            "org.opencontainers.image.revision": release.commit,
            "org.opencontainers.image.version": release.version,
        }
        words = [word for key, text in labels.items() for word in ("--label", f"{key}={text}")]
        argv = [engine, "build", "--tag", name, *words, "--file", str(top / file), str(top)]
        process.run(argv, env=_builder(engine), timeout_s=TIMEOUT_S)
    return image_id(engine, name)


def _builder(engine: str) -> dict[str, str]:
    """Our environment, with BuildKit switched on where the engine has it and does not take it by itself.

    A Dockerfile with ``RUN --mount`` needs it. Docker takes it since version 23, by its plugin buildx; before that the
    program itself can, when it is told to.
    """
    env = dict(os.environ)
    if engine != "docker" or "DOCKER_BUILDKIT" in env:
        return env
    said = process.run([engine, "version", "--format", "{{.Client.Version}}"], check=False, timeout_s=60).stdout
    major = said.partition(b".")[0]
    return {**env, "DOCKER_BUILDKIT": "1"} if major.isdigit() and 18 < int(major) < 23 else env


def image_id(engine: str, name: str) -> str:
    """The id of the image that ``name`` is here; empty when there is none."""
    done = process.run([engine, "image", "inspect", "--format", "{{.Id}}", name], check=False, timeout_s=60)
    return done.stdout.decode("ascii", "replace").strip() if done.code == 0 else ""


def revision_of(engine: str, name: str) -> str:
    """The commit that the image ``name`` says it was built from; empty when it does not say."""
    done = process.run(
        [engine, "image", "inspect", "--format", "{{json .Config.Labels}}", name], check=False, timeout_s=60
    )
    if done.code != 0:
        return ""
    labels = json.loads(done.stdout or b"null") or {}
    return str(labels.get("org.opencontainers.image.revision", ""))


def push(engine: str, name: str) -> None:
    """Push ``name`` to its registry, with the login that the engine has."""
    process.run([engine, "push", name], timeout_s=TIMEOUT_S)


def pushed(engine: str, name: str) -> str:
    """``registry/name@sha256:…`` as the registry named it; empty when it was not pushed from here."""
    argv = [engine, "image", "inspect", "--format", "{{json .RepoDigests}}", name]
    done = process.run(argv, check=False, timeout_s=60)
    listed: list[str] = json.loads(done.stdout or b"null") or [] if done.code == 0 else []
    repository = name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name
    return next((one for one in listed if one.partition("@")[0] == repository), listed[0] if listed else "")
