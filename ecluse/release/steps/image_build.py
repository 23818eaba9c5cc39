"""``image.build``: a container image of exactly the release's commit."""

from __future__ import annotations

from ecluse.release import images
from ecluse.release.context import Context
from ecluse.release.deploy.carrier import effect
from ecluse.release.steps.shape import Done, Shape


def run(context: Context) -> Done:
    """Build with the engine that is there. Raises :class:`ecluse.errors.Failed` where there is none."""
    engine = images.engine_of(context.argument("engine"))
    name, commit = images.name_of(context), context.release.commit
    folder, file = context.argument("folder", "."), context.argument("file", "Dockerfile")
    kept = effect(
        context,
        context.effect(),
        lambda: {"id": images.build(engine, context, name, folder, file)},
        lambda: images.revision_of(engine, name) == commit,
        {"engine": engine, "name": name, "commit": commit},
    )
    digest = kept.get("id") or images.image_id(engine, name)
    return Done(f"{name} is {digest[:19]}, built from {commit[:12]}", {"name": name, "id": digest, "engine": engine})


SHAPE = Shape(
    "image.build",
    "builds a container image from a clean checkout of the release's commit, labelled with it",
    run,
    keys={
        "name": "the image's name, such as registry.example/app:{version}",
        "folder": "the build's folder; the top when not given",
        "file": "the Dockerfile in that folder",
        "engine": "docker or podman; whichever is there when not given",
    },
    kinds={"engine": "docker|podman"},
    required=("name",),
    outputs={"name": "the image's name", "id": "its id", "engine": "what built it"},
    effect="an image on this machine",
    probe="does the image of that name say that it was built from this commit?",
)
