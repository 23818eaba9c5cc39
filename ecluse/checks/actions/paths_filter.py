"""``dorny/paths-filter``: which groups of files the change touches, as outputs that conditions read."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from typing import Any

from ecluse.checks.actions import ActionCall, Outcome
from ecluse.checks.actions.changes import (
    Changed,
    changes,
    pull_request_base,
    repository_of,
    resolve,
    told_by_request,
)
from ecluse.checks.actions.picomatch import matcher
from ecluse.checks.placing import inside
from ecluse.errors import Invalid
from ecluse.files import read_capped
from ecluse.git import Repository
from ecluse.git.nouns import EMPTY_TREE
from ecluse.model import Result
from ecluse.yaml12 import YamlProblem, parse, plain

_CAP = 1 << 20
_WORDS = {
    "A": "added",
    "C": "copied",
    "D": "deleted",
    "M": "modified",
    "R": "renamed",
    "T": "modified",
    "U": "unmerged",
}
_COMMIT = re.compile(r"[0-9a-f]{40}\Z")
_FORMATS = ("none", "csv", "json", "shell", "escape")

Rule = tuple[frozenset[str], Callable[[str], bool]]


def run(call: ActionCall) -> Outcome:
    """Compare, filter, and set the outputs of every filter. Raises :class:`Invalid` for wrong filters."""
    form = call.input("list-files", "none").lower()
    quantifier = call.input("predicate-quantifier", "some")
    if form not in _FORMATS:
        return Outcome(Result.FAILURE, reason=f"list-files is '{form}', and must be one of {', '.join(_FORMATS)}")
    if quantifier not in ("some", "every"):
        return Outcome(Result.FAILURE, reason=f"predicate-quantifier is '{quantifier}', and must be some or every")
    filters = read_filters(_text(call))
    files = _detect(call)
    call.say(f"{len(files)} changed files")
    enough = any if quantifier == "some" else all
    names = []
    for name, rules in filters.items():
        hits = [
            one.path
            for one in files
            if rules
            and enough(
                _WORDS.get(one.status, "") in (kinds or _WORDS.values()) and fits(one.path) for kinds, fits in rules
            )
        ]
        call.say(f"{name}: {len(hits)} files" + (f", first {hits[0]}" if hits else ""))
        call.outputs[name] = "true" if hits else "false"
        call.outputs[f"{name}_count"] = str(len(hits))
        if form != "none":
            call.outputs[f"{name}_files"] = _written(hits, form)
        if hits:
            names.append(name)
    if "changes" not in filters:
        call.outputs["changes"] = json.dumps(names, separators=(",", ":"))
    call.outputs.setdefault("any_changed", "true" if names else "false")
    call.outputs.setdefault("all_changed", "true" if not names or len(names) == len(filters) else "false")
    return Outcome(Result.SUCCESS)


def _text(call: ActionCall) -> str:
    """The filters themselves, or those of the file that is named."""
    given = call.given("filters")
    if "\n" in given or ":" in given:
        return given
    name = given.strip()
    path = inside(call.session.workspace, name, "filters")
    if not path.is_file():
        path = inside(call.session.tree, name, "filters")
    return read_capped(path, _CAP).decode("utf-8", "replace")


def read_filters(text: str) -> dict[str, list[Rule]]:
    """Filters by name. Raises :class:`Invalid` when they are not YAML of the documented form."""
    try:
        document = plain(parse(text))
    except YamlProblem as problem:
        raise _wrong(problem.message) from problem
    if not isinstance(document, dict):
        raise _wrong("they are not a mapping")
    return {name: _rules(name, value) for name, value in document.items()}


def _wrong(why: str) -> Invalid:
    return Invalid("checks.filters", f"The filters are wrong: {why}.", "Write NAME: and below it a list of patterns.")


def _rules(name: str, value: Any) -> list[Rule]:
    if isinstance(value, str):
        return [(frozenset(), matcher(value))]
    if isinstance(value, list):
        return [rule for item in value for rule in _rules(name, item)]
    if isinstance(value, dict):
        found = []
        for kinds, patterns in value.items():
            words = frozenset(word.strip().lower() for word in kinds.split("|"))
            found += [(words, fits) for _, fits in _rules(name, patterns)]
        return found
    raise _wrong(f"'{name}' holds {value!r}, which is no pattern")


def _detect(call: ActionCall) -> list[Changed]:
    github = call.session.github
    repository = repository_of(call, call.input("working-directory"))
    base = call.input("base")
    if base == "HEAD":
        return [one for one in changes(repository, "HEAD") if one.status != "A"]
    if str(github["event_name"]).startswith("pull_request"):
        start = pull_request_base(call, repository)
    else:
        start = _push_base(call, repository, base)
    if start is not None:
        return changes(repository, start, _head(call, repository))
    told = told_by_request(call)
    if told is not None:
        return told
    call.say("there is nothing to compare with: all files count as added")
    return changes(repository, EMPTY_TREE, _head(call, repository))


def _head(call: ActionCall, repository: Repository) -> str:
    """The other side of the comparison; empty for the files as they are."""
    found = resolve(repository, call.input("ref"))
    return "" if found is None or found == repository.resolve("HEAD") else found


def _push_base(call: ActionCall, repository: Repository, base: str) -> str | None:
    github = call.session.github
    event = github["event"] if isinstance(github["event"], dict) else {}
    default = str((event.get("repository") or {}).get("default_branch") or "")
    base = (base or default).removeprefix("refs/heads/").removeprefix("refs/tags/")
    head = (call.input("ref") or str(github["ref"])).removeprefix("refs/heads/").removeprefix("refs/tags/")
    commit = repository.resolve(call.input("ref")) if call.input("ref") else repository.resolve("HEAD")
    if _COMMIT.match(base):
        return resolve(repository, base)
    if base == head:
        before = str(event.get("before") or "") if github["event_name"] == "push" else ""
        if not before:
            return repository.resolve("HEAD^")
        if found := resolve(repository, before):
            return found
        if not default or base == default:
            return None
        base = default
    tip = resolve(repository, base)
    if tip is None or commit is None:
        return None
    return repository.merge_base(tip, commit)


def _written(names: list[str], form: str) -> str:
    if form == "json":
        return json.dumps(names, separators=(",", ":"), ensure_ascii=False)
    if form == "csv":
        return ",".join('"' + name.replace('"', '""') + '"' if re.search(r'[,"\n\r]', name) else name for name in names)
    if form == "shell":
        return " ".join(shlex.quote(name) for name in names)
    return " ".join(re.sub(r"([^A-Za-z0-9,._+:@%/-])", r"\\\1", name) for name in names)
