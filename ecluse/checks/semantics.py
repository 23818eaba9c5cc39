"""What is wrong with a workflow beyond its form: names, references, times and settings that exclude each other."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ecluse.checks.naming import split_reference
from ecluse.checks.problems import Fault, Faults, closest
from ecluse.checks.schedule import is_cron
from ecluse.yaml12 import Mapping, Node, Scalar, Sequence

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,99}\Z")


def check(document: Mapping, faults: Faults) -> None:
    """Note what the rules of ``grammar.py`` cannot say."""
    _check_filters(document.get("on"), faults)
    _check_schedule(document.get("on"), faults)
    for entry in _dispatch_inputs(document):
        if _is_choice(entry) and not _has_options(entry):
            faults.add(entry, "Missing 'options' for choice input")
    _check_concurrency(document.get("concurrency"), faults)
    _check_jobs(document, faults)


def _check_concurrency(concurrency: Node | None, faults: Faults) -> None:
    """Who is to wait in a queue cannot be to replace who runs as well."""
    if not isinstance(concurrency, Mapping):
        return
    queue, cancels = concurrency.get("queue"), concurrency.get("cancel-in-progress")
    if isinstance(queue, Scalar) and isinstance(cancels, Scalar) and queue.text == "max" and cancels.value is True:
        faults.add(queue, "'queue: max' cannot be combined with 'cancel-in-progress: true'", "leave out one of them")


def _check_filters(triggers: Node | None, faults: Faults) -> None:
    """A filter and its ``-ignore`` form exclude each other."""
    for _, event in triggers.entries if isinstance(triggers, Mapping) else ():
        for kind in ("branches", "tags", "paths"):
            both = isinstance(event, Mapping) and event.get(kind) is not None and f"{kind}-ignore"
            entries = event.entries if isinstance(event, Mapping) and both else ()
            place = next((key for key, _ in entries if key.text == both), None)
            if place is not None:
                hint = f"write the ignored ones as '!...' below {kind}"
                faults.add(place, f"you may only define one of `{kind}` and `{kind}-ignore` for a single event", hint)


def _check_schedule(triggers: Node | None, faults: Faults) -> None:
    times = triggers.get("schedule") if isinstance(triggers, Mapping) else None
    for entry in times.items if isinstance(times, Sequence) else ():
        cron = entry.get("cron") if isinstance(entry, Mapping) else None
        if isinstance(cron, Scalar) and cron.text and not is_cron(cron.text):
            faults.add(cron, "Invalid cron expression. Expected format: '* * * * *' (minute hour day month weekday)")


def _check_jobs(document: Mapping, faults: Faults) -> None:
    """What the rules cannot say: identifiers, references between jobs, the form of ``uses``."""
    jobs = document.get("jobs")
    if not isinstance(jobs, Mapping):
        return
    starts = False
    for key, job in jobs.entries:
        _check_identifier(key, faults)
        if not isinstance(job, Mapping):
            starts = True  # what it needs is not known; that it is no job is told already
            continue
        needs = [need for need in _texts(job.get("needs")) if need.value is not None]
        starts = starts or not needs
        _check_call(job.get("uses"), faults)
        _check_group(job.get("runs-on"), faults)
        _check_steps(job.get("steps"), faults)
        _check_matrix(job.get("strategy"), faults)
        _check_concurrency(job.get("concurrency"), faults)
    if not starts:
        place = jobs.entries[0][0] if jobs.entries else jobs
        faults.add(place, "The workflow must contain at least one job with no dependencies.")
    else:
        _check_needs(jobs, faults)
    if not faults.found:
        for _, job in jobs.entries:
            _check_images(job, faults)


def _check_call(uses: Node | None, faults: Faults) -> None:
    """A workflow of another repository is named with its path and a version."""
    if not isinstance(uses, Scalar) or uses.text.startswith(("./", "$/")) or not uses.text:
        _check_own(uses, faults)
        return
    named = split_reference(uses.text)
    if not named.ref:
        is_own = named.location.startswith(".github/")
        hint = f"./{named.location}, when it is one of this repository" if is_own else "name one after @"
        faults.add(uses, "invalid value workflow reference: no version specified", hint)
    elif "/" not in named.name or not named.path:
        told = "references to workflows must be prefixed with format 'owner/repository/' or './' for local workflows"
        faults.add(uses, f"invalid value workflow reference: {told}")


def _check_own(uses: Node | None, faults: Faults) -> None:
    """What is of the workflow's own repository (``$/``) is that of the workflow's commit, and has no version."""
    if isinstance(uses, Scalar) and uses.text.startswith("$/") and "@" in uses.text:
        ref = uses.text.partition("@")[2]
        faults.add(uses, f"Expected format $/{{path}}, without a version. Actual '{uses.text}'", f"leave out @{ref}")


def _check_group(runs_on: Node | None, faults: Faults) -> None:
    """A runner group is a name, or one of an organization or enterprise behind its prefix."""
    group = runs_on.get("group") if isinstance(runs_on, Mapping) else None
    if not isinstance(group, Scalar) or "/" not in group.text or "${{" in group.text:
        return
    prefix, _, name = group.text.partition("/")
    if not name:
        faults.add(group, f"Invalid runs-on group name '{group.text}'.")
    elif prefix.lower() not in ("org", "organization", "ent", "enterprise") or "/" in name:
        faults.add(
            group,
            f"Invalid runs-on group name '{group.text}'. "
            "Please use 'organization/' or 'enterprise/' prefix to target a single runner group.",
        )


def _check_identifier(node: Scalar, faults: Faults) -> None:
    if node.text.startswith("__"):
        faults.add(node, f"The identifier '{node.text}' is invalid. IDs starting with '__' are reserved.")
    elif not _IDENTIFIER.match(node.text):
        faults.add(
            node,
            f"The identifier '{node.text}' is invalid. IDs may only contain alphanumeric characters, '_', and '-'. "
            "IDs must start with a letter or '_' and and must be less than 100 characters.",
        )


def _check_steps(steps: Node | None, faults: Faults, seen: set[str] | None = None) -> None:
    if not isinstance(steps, Sequence):
        return
    seen = set() if seen is None else seen
    for step in steps.items:
        if not isinstance(step, Mapping):
            continue
        _check_steps(step.get("parallel"), faults, seen)
        _check_targets(step, seen, faults)
        identifier, uses = step.get("id"), step.get("uses")
        if isinstance(identifier, Scalar) and identifier.text:
            _check_identifier(identifier, faults)
            if identifier.text.lower() in seen:
                faults.add(
                    identifier,
                    f"The identifier '{identifier.text}' may not be used more than once within the same scope.",
                )
            seen.add(identifier.text.lower())
        if isinstance(uses, Scalar) and uses.text:
            _check_uses(uses, faults)


def _check_targets(step: Mapping, earlier: set[str], faults: Faults) -> None:
    """What ``wait`` and ``cancel`` name must be steps before them."""
    own = step.get("id")
    for target in (*_texts(step.get("wait")), *_texts(step.get("cancel"))):
        if target.text.startswith("__"):
            faults.add(target, f"The identifier '{target.text}' is invalid. IDs starting with '__' are reserved.")
        elif isinstance(own, Scalar) and own.text.lower() == target.text.lower():
            faults.add(target, f"Step '{own.text}' cannot reference itself")
        elif target.text.lower() not in earlier:
            hint = closest(target.text, sorted(earlier))
            faults.add(target, f"Step references unknown step ID '{target.text}'", hint)
    every = step.get("wait-all")
    if isinstance(every, Scalar) and every.value is False:
        faults.add(every, "The value of 'wait-all' must be true or omitted")


def _check_uses(uses: Scalar, faults: Faults) -> None:
    text = uses.text
    if text.startswith(("./", ".\\", "docker://", "$/")):
        _check_own(uses, faults)
        return
    named = split_reference(text)
    name, ref = named.location, named.ref
    if "/" not in name.strip("/") or not ref:
        faults.add(
            uses,
            f"Expected format {{owner}}/{{repo}}[/{{path}}]@{{ref}}. Actual '{text}'",
            "name a version after @" if "/" in name else "",
        )


def _check_matrix(strategy: Node | None, faults: Faults) -> None:
    matrix = strategy.get("matrix") if isinstance(strategy, Mapping) else None
    if not isinstance(matrix, Mapping):
        return
    for key, values in matrix.entries:
        if key.text not in ("include", "exclude") and isinstance(values, Sequence) and not values.items:
            faults.add(values, f"Matrix vector '{key.text}' does not contain any values")


def _check_needs(jobs: Mapping, faults: Faults) -> None:
    """Needs that are never met: they name no job, or one that in the end waits for this one, or for a job without end."""
    names = {key.text.lower(): key.text for key, _ in jobs.entries}
    open_needs = {
        key.text: [need for need in _texts(job.get("needs")) if need.value is not None]
        for key, job in jobs.entries
        if isinstance(job, Mapping)
    }
    ready = [name for name, needs in open_needs.items() if not needs]
    for done in ready:
        for name, needs in open_needs.items():
            left = [need for need in needs if need.text.lower() != done.lower()]
            if needs and not left:
                ready.append(name)
            open_needs[name] = left
    for name, needs in open_needs.items():
        for need in needs:
            if need.text.lower() in names:
                told = f"Job '{name}' depends on job '{need.text}' which creates a cycle in the dependency graph."
                faults.add(need, told)
            else:
                hint = closest(need.text, sorted(set(names.values()) - {name}))
                faults.add(need, f"Job '{name}' depends on unknown job '{need.text}'.", hint)


def _dispatch(document: Mapping) -> Mapping | None:
    """What stands below ``workflow_dispatch:``, when anything does."""
    triggers = document.get("on")
    event = triggers.get("workflow_dispatch") if isinstance(triggers, Mapping) else None
    return event if isinstance(event, Mapping) else None


def _dispatch_inputs(document: Mapping) -> Iterator[Mapping]:
    event = _dispatch(document)
    inputs = event.get("inputs") if event is not None else None
    if isinstance(inputs, Mapping):
        yield from (entry for _, entry in inputs.entries if isinstance(entry, Mapping))


def _is_choice(entry: Mapping) -> bool:
    kind = entry.get("type")
    return isinstance(kind, Scalar) and kind.text == "choice"


def _has_options(entry: Mapping) -> bool:
    options = entry.get("options")
    return isinstance(options, Sequence) and bool(options.items)


def tolerated(document: Mapping, path: str) -> tuple[Fault, ...]:
    """What does no harm here, and GitHub refuses or has no use for.

    Jobs with nothing to do, options of an input that is no choice, and words below ``workflow_dispatch:`` that mean
    nothing: GitHub's editor marks those, GitHub itself passes them over.
    """
    jobs = document.get("jobs")
    found = Faults(path)
    event = _dispatch(document)
    for key, _ in event.entries if event is not None else ():
        if key.text != "inputs":
            found.add(key, f"Unexpected value '{key.text}'", closest(key.text, ["inputs"]))
    for entry in _dispatch_inputs(document):
        if entry.get("options") is not None and not _is_choice(entry):
            found.add(entry, "Input type is not 'choice', but 'options' is defined")
    for key, job in jobs.entries if isinstance(jobs, Mapping) else ():
        steps = job.get("steps") if isinstance(job, Mapping) else None
        is_own = isinstance(job, Mapping) and job.get("uses") is None
        if is_own and not (isinstance(steps, Sequence) and steps.items):
            found.add(key, f"No steps defined in `steps` and no workflow called in `uses` for the job: {key.text}")
    return tuple(found.found)


def _check_images(job: Node, faults: Faults) -> None:
    """A container needs an image; one with an expression anywhere in it is looked at when it is computed."""
    if not isinstance(job, Mapping):
        return
    services = job.get("services")
    entries = services.entries if isinstance(services, Mapping) else ()
    for container in (job.get("container"), *(value for _, value in entries)):
        if isinstance(container, Mapping) and container.get("image") is None and not _is_computed(container):
            faults.add(container, "Container image cannot be empty")


def _is_computed(node: Node) -> bool:
    if isinstance(node, Mapping):
        return any(_is_computed(part) for entry in node.entries for part in entry)
    if isinstance(node, Sequence):
        return any(_is_computed(item) for item in node.items)
    return isinstance(node.value, str) and "${{" in node.value


def _texts(node: Node | None) -> Iterator[Scalar]:
    if isinstance(node, Scalar):
        yield node
    elif isinstance(node, Sequence):
        yield from (item for item in node.items if isinstance(item, Scalar))
