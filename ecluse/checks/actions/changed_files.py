"""``tj-actions/changed-files``: the changed files by kind of change, filtered, in the form that is asked for."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from ecluse.checks.actions import ActionCall, Outcome
from ecluse.checks.actions.changes import (
    Changed,
    changes,
    is_own_head,
    pull_request_base,
    repository_of,
    resolve,
    told_by_request,
)
from ecluse.checks.actions.picomatch import matcher
from ecluse.checks.placing import inside
from ecluse.errors import Invalid, Unsupported
from ecluse.files import read_capped, write_atomically
from ecluse.git.nouns import EMPTY_TREE
from ecluse.git.repository import Repository
from ecluse.model import Result
from ecluse.yaml12 import YamlProblem, parse, plain

_CAP = 1 << 20
_KINDS = {
    "added_files": "A", "copied_files": "C", "deleted_files": "D", "modified_files": "M", "renamed_files": "R",
    "type_changed_files": "T", "unmerged_files": "U", "unknown_files": "X", "all_changed_and_modified_files": "ACDMRTUX",
    "all_changed_files": "ACMR", "all_modified_files": "ACMRD",
}  # fmt: skip
_VERDICTS = (("changed", "ACMR"), ("modified", "ACMRD"), ("deleted", "D"))
_UNSAFE = re.compile(r"[^\x20-\x7E]|[:*?\"<>|;`$()&!]")


def run(call: ActionCall) -> Outcome:
    """Compare and set all the outputs; those of the groups of ``files_yaml`` carry the group's name in front."""
    everything = _detect(call)
    folder = call.input("path", ".")
    if folder not in (".", "") and call.flag("diff_relative", True):
        everything = _relative(everything, folder.strip("./"))
    groups = _groups(call, "files_yaml")
    ignored = _groups(call, "files_ignore_yaml")
    wanted, unwanted = _patterns(call, "files"), _patterns(call, "files_ignore")
    if wanted or unwanted or not groups:
        _describe(call, everything, _filtered(everything, wanted, unwanted), "")
    changed, modified = [], []
    for name, patterns in groups.items():
        chosen = _filtered(everything, patterns, ignored.get(name, []))
        _describe(call, everything, chosen, f"{name}_")
        changed += [name] if any(one.status in "ACMR" for one in chosen) else []
        modified += [name] if any(one.status in "ACMRD" for one in chosen) else []
    if groups:
        _put(call, "changed_keys", changed)
        _put(call, "modified_keys", modified)
    call.say(f"{len(everything)} changed files")
    return Outcome(Result.SUCCESS)


def _detect(call: ActionCall) -> list[Changed]:
    for name in ("recover_deleted_files", "use_rest_api"):
        if call.input(name, "false") != "false":
            raise Unsupported(
                "checks.changed_files", f"The input {name} of changed-files is not carried out here.", "Use base_sha."
            )
    repository = repository_of(call, call.input("path"))
    github = call.session.github
    event = github["event"] if isinstance(github["event"], dict) else {}
    head = resolve(repository, call.input("sha"))
    if call.input("sha") and head is None:
        raise _unknown("sha", call.input("sha"))
    if until := call.input("until"):
        head = _at(repository, "until", until)
    if is_own_head(repository, call, head) or head is None:
        head = ""
    base: str | None
    if given := call.input("base_sha"):
        base = resolve(repository, given)
        if base is None:
            raise _unknown("base_sha", given)
    elif since := call.input("since"):
        base = _at(repository, "since", since)
    elif str(github["event_name"]).startswith("pull_request"):
        base = pull_request_base(call, repository)
    else:
        before = resolve(repository, str(event.get("before") or ""))
        base = before or repository.resolve(f"{head or 'HEAD'}^")
    if base is None:
        told = told_by_request(call)
        if told is not None:
            return told
        call.say("there is nothing to compare with: all files count as added")
        base = EMPTY_TREE
    found = changes(repository, base, head, renames=True)
    if call.flag("output_renamed_files_as_deleted_and_added"):
        renamed = [one for one in found if one.status == "R"]
        found = [one for one in found if one.status != "R"]
        found += [half for one in renamed for half in (Changed("D", one.before), Changed("A", one.path))]
    return sorted(found, key=lambda one: one.path)


def _at(repository: Repository, name: str, when: str) -> str:
    """The oldest commit ``since`` a time, or the newest ``until`` it. Raises :class:`Invalid` when there is none."""
    newest = ["-n", "1"] if name == "until" else []
    found = repository.text("log", "--format=%H", *newest, f"--{name}={when}", "HEAD", "--", check=False).split()
    if not found:
        raise Invalid(
            "checks.changes_commit", f"{name} is '{when}', and there is no such commit here.", "git log --oneline"
        )
    return found[-1]


def _unknown(name: str, value: str) -> Invalid:
    return Invalid(
        "checks.changes_commit", f"{name} is '{value}', and there is no such commit here.", "git log --oneline"
    )


def _relative(files: list[Changed], folder: str) -> list[Changed]:
    prefix = folder + "/"
    if not any(one.path.startswith(prefix) for one in files):
        return files
    return [
        Changed(one.status, one.path.removeprefix(prefix), one.before.removeprefix(prefix))
        for one in files
        if one.path.startswith(prefix)
    ]


def _patterns(call: ActionCall, name: str) -> list[str]:
    separator = call.given(f"{name}_separator") or "\n"
    found = [part.strip() for part in call.given(name).split(separator)]
    for file in call.lines(f"{name}_from_source_file"):
        text = read_capped(inside(call.session.workspace, file, name), _CAP).decode("utf-8", "replace")
        found += [line.strip() for line in text.splitlines()]
    return [part for part in found if part and not part.startswith("#")]


def _groups(call: ActionCall, name: str) -> dict[str, list[str]]:
    text = call.given(name)
    for file in call.lines(f"{name}_from_source_file"):
        text += "\n" + read_capped(inside(call.session.workspace, file, name), _CAP).decode("utf-8", "replace")
    if not text.strip():
        return {}
    try:
        document = plain(parse(text))
    except YamlProblem as problem:
        raise Invalid(
            "checks.filters", f"{name} is wrong: {problem.message}", "Write NAME: and a list below."
        ) from problem
    if not isinstance(document, dict):
        raise Invalid("checks.filters", f"{name} is not a mapping.", "Write NAME: and a list of patterns below it.")
    return {key: list(_flat(value)) for key, value in document.items()}


def _flat(value: object) -> Iterable[str]:
    if isinstance(value, list):
        for item in value:
            yield from _flat(item)
    elif value is not None:
        yield str(value)


def _filtered(files: list[Changed], wanted: list[str], unwanted: list[str]) -> list[Changed]:
    """The files that a pattern selects and none takes out; ``!`` in front of a pattern takes out as well."""
    rules = [_rule(one) for one in wanted if not one.startswith("!")]
    out = [_rule(one.removeprefix("!")) for one in [*unwanted, *(one for one in wanted if one.startswith("!"))]]
    return [
        one
        for one in files
        if (not rules or any(rule(one.path) for rule in rules)) and not any(rule(one.path) for rule in out)
    ]


def _rule(pattern: str) -> Callable[[str], bool]:
    """What a pattern selects; one that ends in a slash, or names a folder, means all inside."""
    plain_one = pattern.rstrip("/")
    rule = matcher(plain_one if not pattern.endswith("/") else f"{plain_one}/**")
    return lambda path: rule(path) or path.startswith(f"{plain_one}/")


def _describe(call: ActionCall, everything: list[Changed], chosen: list[Changed], prefix: str) -> None:
    for name, letters in _KINDS.items():
        _put(call, prefix + name, [one.path for one in chosen if one.status in letters], counted=True)
    for word, letters in _VERDICTS:
        ours = [one.path for one in chosen if one.status in letters]
        others = [one.path for one in everything if one.status in letters and one not in chosen]
        call.outputs[f"{prefix}any_{word}"] = "true" if ours else "false"
        call.outputs[f"{prefix}only_{word}"] = "true" if ours and not others else "false"
        _put(call, f"{prefix}other_{word}_files", others, counted=True)
    if call.flag("include_all_old_new_renamed_files"):
        between = call.given("old_new_separator") or ","
        pairs = [f"{one.before}{between}{one.path}" for one in chosen if one.status == "R"]
        call.outputs[f"{prefix}all_old_new_renamed_files"] = (call.given("old_new_files_separator") or " ").join(pairs)
        call.outputs[f"{prefix}all_old_new_renamed_files_count"] = str(len(pairs))


def _put(call: ActionCall, name: str, values: list[str], *, counted: bool = False) -> None:
    if counted and call.flag("dir_names"):
        values = _folders(call, values)
    as_json = call.flag("json") or call.flag("matrix")
    if as_json:
        text = json.dumps(values, separators=(",", ":"), ensure_ascii=False)
        if call.flag("escape_json", True) and not call.flag("matrix"):
            text = text.replace('"', '\\"')
    else:
        safe = call.flag("safe_output", True)
        shown = [_UNSAFE.sub(lambda found: "\\" + found[0], value) if safe else value for value in values]
        text = (call.given("separator") or " ").join(shown)
    call.outputs[name] = text
    if counted:
        call.outputs[f"{name}_count"] = str(len(values))
    if call.flag("write_output_files"):
        folder = inside(call.session.workspace, call.input("output_dir", ".github/outputs"), "output_dir")
        ending = "json" if as_json else "txt"
        write_atomically(folder / f"{name}.{ending}", text.replace('\\"', '"').encode("utf-8", "surrogateescape"))


def _folders(call: ActionCall, values: list[str]) -> list[str]:
    depth = call.input("dir_names_max_depth")
    found: dict[str, None] = {}
    for value in values:
        parts = Path(value).parent.parts
        name = os.path.join(*parts[: int(depth)] if depth.isdecimal() else parts) if parts else "."  # noqa: PTH118
        if name != "." or not call.flag("dir_names_exclude_current_dir"):
            found[name] = None
    return list(found)
