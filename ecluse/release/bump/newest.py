"""What is newest: asked of pip, npm and image registries, each as this machine is set up to reach them."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable

from ecluse import http, process
from ecluse.errors import Failed
from ecluse.release.bump.pins import Pin

LEVELS = ("patch", "minor", "major")
_PLAIN = re.compile(r"v?(\d+(?:\.\d+)*)(-[a-z][\w.-]*)?\Z")
_LISTED = re.compile(r"^Available versions:\s*(.*)$", re.M)
TIMEOUT_S = 60.0


def numbers(version: str) -> tuple[int, ...] | None:
    """``1.2.3`` as numbers, or ``None`` for anything that is not a plain final version."""
    found = _PLAIN.match(version)
    return tuple(int(part) for part in found[1].split(".")) if found else None


def within(old: str, new: str, level: str) -> bool:
    """Whether going from ``old`` to ``new`` is at most a step of ``level``."""
    a, b = numbers(old), numbers(new)
    if a is None or b is None:
        return False
    same = {"patch": 2, "minor": 1, "major": 0}[level]
    pad = (0,) * 3
    return (a + pad)[:same] == (b + pad)[:same]


def pick(pin: Pin, known: Iterable[str], level: str) -> str:
    """The newest of ``known`` that is newer than the pin and within ``level``; empty when there is none.

    An image keeps the words of its tag (``-slim``), and the number of parts it is written with (``3.12``).
    """
    mine = numbers(pin.version)
    if mine is None:
        return ""
    shape = _PLAIN.match(pin.version)
    suffix = (shape[2] or "") if shape else ""
    best, chosen = mine, ""
    for version in known:
        value = numbers(version)
        other = _PLAIN.match(version)
        if value is None or other is None or (other[2] or "") != suffix or not within(pin.version, version, level):
            continue
        if pin.kind == "image" and (len(value) != len(mine) or version.startswith("v") != pin.version.startswith("v")):
            continue
        if value + (0,) * 4 > best + (0,) * 4:
            best, chosen = value, version
    return chosen


def known(pin: Pin) -> list[str]:
    """Every version there is of what ``pin`` names. Raises :class:`Failed` when that cannot be asked."""
    return {"python": _python, "npm": _npm, "image": _image}[pin.kind](pin.name)


def _python(name: str) -> list[str]:
    if process.run([sys.executable, "-m", "pip", "--version"], check=False, timeout_s=TIMEOUT_S).code == 0:
        pip = [sys.executable, "-m", "pip"]
    elif found := process.which("pip3") or process.which("pip"):
        pip = [found]
    else:
        raise Failed("bump.no_pip", "There is no pip to ask for the newest versions.", "python3 -m ensurepip")
    words = [*pip, "--disable-pip-version-check", "--no-input", "index", "versions", "--", name]
    done = process.run(words, check=False, timeout_s=TIMEOUT_S)
    listed = _LISTED.search(done.stdout.decode("utf-8", "replace"))
    if done.code != 0 or listed is None:
        raise _silent(name, done.stderr)
    return [version.strip() for version in listed[1].split(",")]


def _npm(name: str) -> list[str]:
    done = process.run(["npm", "view", "--json", "--", name, "versions"], check=False, timeout_s=TIMEOUT_S)
    try:
        said = json.loads(done.stdout)
    except ValueError:
        raise _silent(name, done.stderr) from None
    if done.code != 0:
        raise _silent(name, done.stderr)
    return [said] if isinstance(said, str) else [str(one) for one in said]


def _image(name: str) -> list[str]:
    """The tags of an image that names its registry's host; without one it is the engine's business which is meant."""
    host, _, rest = name.partition("/")
    if not rest or not ("." in host or ":" in host or host == "localhost"):
        raise Failed(
            "bump.image_host",
            f"The image {name} does not name its registry, so nobody can be asked.",
            f"write the image with its registry: HOST/{name}",
        )
    plain = host.split(":")[0] in ("localhost", "127.0.0.1")
    url = f"{'http' if plain else 'https'}://{host}/v2/{rest}/tags/list"
    answer = http.request(url, headers={"Accept": "application/json"}, timeout_s=20)
    if answer.status != 200:
        raise Failed("bump.image", f"{url} answered {answer.status}.", f"curl -i {url}")
    try:
        return [str(tag) for tag in json.loads(answer.body).get("tags") or ()]
    except (ValueError, AttributeError):
        raise Failed("bump.image", f"{url} did not answer with a list of tags.", f"curl -i {url}") from None


def _silent(name: str, stderr: bytes) -> Failed:
    said = stderr.decode("utf-8", "replace").strip().splitlines()
    why = said[-1] if said else "no answer"
    return Failed("bump.unknown", f"No version of {name} could be listed: {why}", f"pip index versions {name}")
