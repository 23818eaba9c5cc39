"""``image.push``: the image goes to its registry, and is known by its digest from then on."""

from __future__ import annotations

from ecluse.errors import Failed
from ecluse.release import images
from ecluse.release.context import Context
from ecluse.release.deploy.carrier import effect
from ecluse.release.steps.shape import Done, Shape


def run(context: Context) -> Done:
    """Push and read the digest back. Raises :class:`Failed` when the image is not of this commit."""
    engine = images.engine_of(context.argument("engine"))
    name, commit = images.name_of(context), context.release.commit
    if images.revision_of(engine, name) != commit:
        raise Failed(
            "image.other_commit",
            f"The image {name} here was not built from {commit[:12]}.",
            "put a step `uses: image.build` with the same name before",
        )
    effect(
        context,
        context.effect(),
        lambda: images.push(engine, name),
        lambda: False,  # pushing the same image again changes nothing
        {"engine": engine, "name": name, "commit": commit},
    )
    digest = images.pushed(engine, name)
    if not digest:
        raise Failed("image.no_digest", f"The registry named no digest for {name}.", f"{engine} image inspect {name}")
    return Done(f"{name} is {digest}", {"name": name, "image": digest})


SHAPE = Shape(
    "image.push",
    "pushes the image that image.build made, and keeps its digest: deploy.compose pins it as ECLUSE_IMAGE",
    run,
    keys={"name": "the image's name", "engine": "docker or podman; whichever is there when not given"},
    kinds={"engine": "docker|podman"},
    required=("name",),
    outputs={"name": "the image's name", "image": "name and digest, as the registry named them"},
    effect="the image in its registry",
    probe="none is needed: pushing the same image again changes nothing",
)
