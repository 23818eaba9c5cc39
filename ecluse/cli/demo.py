"""``ecluse demo``: the whole line on a repository made for it."""

from __future__ import annotations

from pathlib import Path

import click

from ecluse.cli.frame import Frame, door
from ecluse.errors import Failed


@click.command("demo")
@click.option(
    "--to", "target", default="", metavar="DIR", help="Make the demo in this new folder instead of a temporary one."
)
@click.option("--keep-running", is_flag=True, help="Leave the deployed service running at the end.")
@door(json_flag=False)
def command(frame: Frame, target: str, keep_running: bool) -> None:
    """Run the main job for real, in about a minute: agents export, bundles are judged, the good change lands, a
    release goes live behind a human gate, a second one is rolled back. Every command is shown as it is run.
    """
    from ecluse.demo.script import SCENES, House, live_version, play
    from ecluse.demo.stage import Stage

    house = House(_make_folder(target))
    stage = Stage(lambda text, style: frame.say(frame.style(text, style)), SCENES, house.home)
    play(house, stage, keep_running=keep_running)
    version = live_version(house)
    frame.say()
    frame.say(
        f"Done: {version} is live, the broken and the leaking change stayed out, the ill release was undone.", "ok"
    )
    if not keep_running:
        frame.say("The demo's service was stopped; --keep-running leaves it up.")
    frame.put(f"Look further:\n  cd {house.repository}\n  ecluse serve")


def _make_folder(target: str) -> Path:
    import tempfile

    if not target:
        return Path(tempfile.mkdtemp(prefix="ecluse-demo-"))
    folder = Path(target).resolve()
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise Failed(
            "demo.exists",
            f"{folder} exists already; the demo writes only into a folder of its own.",
            "ecluse demo --to ANOTHER",
        ) from None
    except OSError as error:
        from ecluse.files import storage_problem

        raise storage_problem(error, folder) from error
    return folder
