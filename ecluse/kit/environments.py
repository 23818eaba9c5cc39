"""``[environments.staging]`` and ``[environments.production]`` of ``ecluse.toml``, for what stays running.

Hosts and addresses are not known yet: they end in ``.invalid``, a name that can never exist, and a release refuses to go
there until somebody has written real ones.
"""

from __future__ import annotations

import json
from pathlib import Path

from ecluse import config
from ecluse.files import read_capped
from ecluse.kit import docker, pieces
from ecluse.kit.report import Action, ActionKind
from ecluse.kit.survey import Survey

_CAP = 1 << 20
_BLOCK = """\
[environments.{name}]
method = "compose"
path = "/srv/{project}-{name}"
hosts = ["deploy@{name}.example.invalid"]      # fill in: user@host, as ssh knows it
compose = ["{file}"]
url = "https://{name}.example.invalid"         # fill in: where its service answers
health = "{health}"
health_timeout_s = 60
smoke = [{{ request = "GET {health}" }}]
secrets = ["{key}"]                            # by name; values lie in .git/ecluse/secrets/
branches = {branches}
"""
_PROTECTED = """\
production = true                              # a gate comes before it
reviewers = ["human"]                          # keys of this role, or names, who may say yes
approvals = 1                                  # how many of them
"""


def blocks(survey: Survey, trunk: str, standing: config.Config | None = None) -> dict[str, str]:
    """Name -> its table as text, for each environment that ``standing`` does not have yet; none without a service."""
    services = [one for one in survey.projects if docker.stays(one)]
    known = standing.environments if standing else {}
    if not services:
        return {}
    words = {
        "project": survey.name,
        "health": next((one.health for one in services if one.health), "/"),
        "key": f"{survey.name.upper().replace('-', '_')}_KEY",
    }
    made = {}
    if not any("staging" in name for name in known):
        branches = json.dumps(list(dict.fromkeys(["develop", trunk])))
        file = "docker-compose.staging.yml"
        made["staging"] = _BLOCK.format(name="staging", file=file, branches=branches, **words)
    if not any(one.production for one in known.values()) and "production" not in known:
        branches = json.dumps([trunk, "hotfix/*"])
        text = _BLOCK.format(name="production", file="compose.prod.yml", branches=branches, **words)
        made["production"] = text + _PROTECTED
    return made


def added(work_tree: Path, survey: Survey, trunk: str, planned: pieces.Piece) -> pieces.Piece:
    """``planned``, the piece for ``ecluse.toml``, with the environments that are missing added behind what is there.

    Raises :class:`ecluse.errors.Invalid` when the policy that stands cannot be read.
    """
    if planned.action.kind is ActionKind.CREATED and planned.data is not None:
        text = "".join(f"\n{block}" for block in blocks(survey, trunk).values())
        return pieces.Piece(planned.action, planned.data + text.encode("utf-8"), planned.mode)
    if planned.action.kind is not ActionKind.KEPT:
        return planned
    missing = blocks(survey, trunk, config.of_checkout(work_tree))
    if not missing:
        return planned
    names = " and ".join(f"[environments.{name}]" for name in missing)
    target = work_tree / "ecluse.toml"
    if not target.is_file():  # the policy is a table of pyproject.toml, which is not ours to write to
        diff = "\n".join(missing.values()).replace("[environments.", "[tool.ecluse.environments.")
        return pieces.Piece(Action(ActionKind.PROPOSED, "pyproject.toml", f"{names} for its policy", diff))
    data = read_capped(target, _CAP)
    end = b"\r\n" if b"\r\n" in data else b"\n"
    more = "".join(f"\n{block}" for block in missing.values()).encode("utf-8").replace(b"\n", end)
    data += b"" if data.endswith(b"\n") or not data else end
    action = Action(ActionKind.APPENDED, "ecluse.toml", f"{names}: fill in hosts and addresses")
    return pieces.Piece(action, data + more, target.stat().st_mode & 0o777)
