"""``ecluse serve``: the dashboard, and the line kept moving behind it."""

from __future__ import annotations

import click

from ecluse.cli.frame import Frame, door


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address of this machine to serve on.")
@click.option(
    "--port", default=8470, show_default=True, type=click.IntRange(0, 65_535), help="Port; 0 takes a free one."
)
@click.option("--no-drive", is_flag=True, help="Only show; leave the line to others.")
@door(json_flag=False)
def command(frame: Frame, host: str, port: int, no_drive: bool) -> None:
    """Show the dashboard and keep the line moving in the background, until Ctrl-C."""
    import threading

    from ecluse import exchanges, line
    from ecluse.web.server import serve

    def ready(url: str) -> None:
        click.echo(frame.marked(f"the dashboard is at {url} (Ctrl-C ends it)", "ok"), err=True)

    def drive(stop: threading.Event) -> None:
        both = threading.Thread(target=exchanges.keep_until, args=(frame.repository, stop), daemon=True)
        both.start()
        line.drive_until(frame.repository, stop)
        both.join()

    serve(frame.repository, host=host, port=port, background=None if no_drive else drive, on_ready=ready)
    frame.say("stopped; what was recorded stays")
