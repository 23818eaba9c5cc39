"""``smoke``: a few real requests, each with what its answer must be, or a script of the repository that makes them."""

from __future__ import annotations

import os

from ecluse import process
from ecluse.errors import Failed, Invalid
from ecluse.release.context import Context
from ecluse.release.probes import look_at_answer
from ecluse.release.steps.shape import Done, Shape

_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER", "LOGNAME", "SHELL")
SCRIPT_TIMEOUT_S = 600.0


def run(context: Context) -> Done:
    """Send the environment's smoke requests in order, then run the script. Raises :class:`Failed` at the first fault."""
    target, script = context.target, context.argument("script")
    for request in target.smoke:
        address = target.address(request.path)
        seen = look_at_answer(request.method, address, request.expect, request.contains, request.max_ms)
        if not seen.well:
            raise Failed("smoke.failed", seen.said, f"curl -i {address}")
    count = len(target.smoke)
    said = [f"{count} of {count} requests are answered as expected"] if count else []
    if script:
        said.append(_run(context, script))
    if not said:
        return Done(f"{target.name} has no smoke requests in ecluse.toml: nothing was tried", {"requests": 0})
    return Done("; ".join(said), {"requests": count, **({"script": script} if script else {})})


def _run(context: Context, script: str) -> str:
    """Run the script of the release's commit, in a clean checkout, with the address as its argument and as $URL."""
    target, release = context.target, context.release
    if script.startswith("/") or ".." in script.split("/"):
        raise Invalid("smoke.script", f"script={script} is not a path in the repository.", "ecluse playbook lint")
    with context.repository.temporary_clone(bare=False) as clone:
        clone.check_out(release.commit)
        assert clone.work_tree is not None  # noqa: S101 - made with one
        path = clone.work_tree / script
        if not path.is_file():
            raise Failed("smoke.no_script", f"There is no {script} in {release.commit[:12]}.", "ecluse playbook lint")
        env = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        facts = {"URL": target.url, "ECLUSE_VERSION": release.version, "ECLUSE_ENVIRONMENT": target.name}
        words = [str(path), target.url] if os.access(path, os.X_OK) else ["sh", str(path), target.url]
        done = process.run(words, cwd=clone.work_tree, env={**env, **facts}, timeout_s=SCRIPT_TIMEOUT_S, check=False)
    heard = (done.stdout + done.stderr).decode("utf-8", "replace").strip().splitlines()
    last = " / ".join(heard[-3:])[-400:]
    if done.code != 0:
        raise Failed(
            "smoke.script_failed",
            f"{script} {target.url} ended with status {done.code}: {last or 'it said nothing'}",
            f"sh {script} {target.url}",
        )
    return f"{script} is content{f': {last}' if last else ''}"


SHAPE = Shape(
    "smoke",
    "sends the environment's smoke requests and compares the answers; runs a script of the repository with the address",
    run,
    keys={"script": "a script of the repository, such as scripts/smoke-test.sh; it gets the address as $1 and $URL"},
    environment=True,
    outputs={"requests": "how many requests were tried", "script": "the script that was run"},
)
