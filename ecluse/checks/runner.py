"""Runs workflows: starts each job when what it needs is done, several at a time, and gathers the report."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

from ecluse.checks import ending
from ecluse.checks.background import Linked
from ecluse.checks.calls import inputs_of, outputs_of, secrets_of
from ecluse.checks.choosing import narrow
from ecluse.checks.commitfacts import with_commit
from ecluse.checks.concurrency import POLL_S, claim_of
from ecluse.checks.evaluate import Scope, condition, interpolate, status_functions
from ecluse.checks.expression import ExpressionProblem
from ecluse.checks.guards import Guards
from ecluse.checks.jobs import Instance, JobOutcome, Surroundings, run_instance
from ecluse.checks.matrix import display_name, expand, resolve
from ecluse.checks.nodes import Group, Node, worst
from ecluse.checks.numbers import take
from ecluse.checks.place import run_folder
from ecluse.checks.planning import chosen_jobs, load_workflows, plan_workflows, workflow_scope
from ecluse.checks.remote import Remote
from ecluse.checks.request import RunRequest
from ecluse.checks.rerun import Before, bring, keep
from ecluse.checks.reuse import taken_over
from ecluse.checks.session import OnFailure, one_at_a_time
from ecluse.checks.values import is_truthy, to_number
from ecluse.checks.workflow import Workflow
from ecluse.clock import instant, now
from ecluse.model import Annotation, Report, Result
from ecluse.model import Job as JobRecord
from ecluse.secrets.mask import Masker

Listener = Callable[[dict[str, object]], None]

WAKE_S = 0.25
"""How long the driver sleeps at most, in seconds."""


class Runner:
    """One run. Use once."""

    def __init__(
        self,
        tree: Path,
        request: RunRequest,
        workflows: tuple[Workflow, ...],
        listener: Listener | None,
        remote: Remote,
        *,
        before: Before | None = None,
        on_failure: OnFailure | None = None,
    ) -> None:
        self.before = before
        self.on_failure = on_failure
        self.planned = 0
        self.artifacts = Path()
        self.tree = tree.resolve()
        self.remote = remote
        self.request = request
        self.masker = Masker()
        self.annotations: list[Annotation] = []
        self.guard = threading.Lock()
        self.listener = listener
        for name, value in request.secrets.items():
            if value and not self.masker.add(value):
                self.note("warning", f"The secret {name} is too short to be masked.")
        self.aborted = threading.Event()
        unnamed = request.repository == RunRequest().repository
        self.guards = Guards(str(self.tree) if unnamed else request.repository, self.tell_masked)
        self.workflows = {workflow.path: self.names_of(workflow) for workflow in workflows}
        prefixes = _prefixes([workflow.path for workflow in workflows])
        self.nodes: dict[tuple[str, str], Node] = {}
        for workflow in workflows:
            for warning in workflow.warnings:
                self.note("warning", f"{warning} (GitHub refuses this workflow)")
            for hint in workflow.hints:
                told = hint.message + (f" ({hint.suggestion})" if hint.suggestion else "")
                self.annotations.append(Annotation("warning", told, path=hint.path, line=hint.line, column=hint.column))
            if request.event not in workflow.triggers:
                told = f"{workflow.path} is not started by {request.event} on GitHub; it runs because it was named"
                self.note("warning", told)
            scope = workflow_scope(request, workflow)
            self.guards.guard(workflow.path, [claim_of(workflow.concurrency, scope)])
            for job in chosen_jobs(workflow, request):
                node = Node(workflow, job, scope, workflow.path, prefixes[workflow.path])
                self.nodes[node.space, job.id] = node

    def names_of(self, workflow: Workflow) -> dict[str, str]:
        """Name and ``run-name`` of a workflow; a run without one is named after the workflow."""
        try:
            written = interpolate(workflow.run_name, workflow_scope(self.request, workflow)).strip()
        except ExpressionProblem as problem:
            written = ""
            self.note("warning", self.masker.mask(f"{workflow.path}: run-name: {problem.message}"))
        return {"name": workflow.name, "run_name": self.masker.mask(written or workflow.name)}

    def note(self, level: str, message: str) -> None:
        self.annotations.append(Annotation(level, message))

    def tell_masked(self, event: dict[str, object]) -> None:
        self.tell({name: self.masker.mask_any(value) for name, value in event.items()})

    def tell(self, event: dict[str, object]) -> None:
        if self.listener is not None:
            with self.guard:
                self.listener(event)

    def run(self) -> Report:
        """Run everything and report. Interrupted, it ends what runs, cleans up and raises KeyboardInterrupt."""
        started, begun = instant(), time.monotonic()
        names = [names["run_name"] for names in self.workflows.values()]
        planned = max(self.planned, len(self.nodes))
        self.tell({"event": "run.started", "at": started, "jobs": planned, "names": names})
        try:
            report = self.run_in_folder(started, begun)
        finally:
            self.guards.close()
        self.tell(
            {
                "event": "run.finished",
                "at": instant(),
                "result": report.result.value,
                "duration_ms": report.duration_ms,
                "reason": report.reason,
            }
        )
        return report

    def run_in_folder(self, started: str, begun: float) -> Report:
        """Run every job in a folder of the run's own, which is gone afterwards, and report."""
        with run_folder() as folder:
            self.artifacts = folder / "artifacts"
            if self.before is not None:
                bring(self.before, self.artifacts)
            look = one_at_a_time(self.on_failure)
            told = (self.tree, folder, self.request, self.masker, self.tell, self.aborted)
            self.drive(Surroundings(*told, self.remote, look))
            ending.keep_artifacts(self.artifacts, self.request.log_dir, self.masker)
            self.annotations += ending.keep_pins(self.tree, self.request, self.remote, self.masker)
            jobs = ending.ended(self.nodes.values())
            report = replace(
                ending.report(self.request, {node.result for node in self.nodes.values()}, jobs, self.masker),
                started_at=started,
                duration_ms=round((time.monotonic() - begun) * 1000, 3),
                annotations=tuple(self.annotations),
                workflows=self.workflows,
            )
            if self.request.keep is not None:
                lines = {one.record.key: ending.masked_lines(one, self.masker) for one in jobs if one.results.lines}
                why = keep(self.request.keep, self.request, report, self.artifacts, lines)
                notes = (Annotation("warning", why),) if why else ()
                report = replace(report, annotations=(*report.annotations, *notes))
        return report

    def drive(self, around: Surroundings) -> None:
        running: dict[Future[JobOutcome], tuple[Node, Instance]] = {}
        with ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 2)) as pool:
            try:
                while True:
                    self.look_at_groups()
                    self.open_ready()
                    moved = False
                    for node in self.nodes.values():
                        while (instance := self.guards.next_instance(node)) is not None:
                            node.waiting.remove(instance)
                            node.running += 1
                            kept = self.reuse(node, instance)
                            if kept is not None:
                                self.take(node, instance, kept)
                                moved = True
                                continue
                            running[pool.submit(run_instance, instance, around)] = (node, instance)
                    if moved:
                        continue
                    if not running and not self.guards.is_waiting:
                        return
                    if not running:
                        time.sleep(POLL_S)
                    # Never without an end: a Ctrl-C that another thread receives is only seen when this one wakes.
                    patience = POLL_S if self.guards.is_watching else WAKE_S
                    done, _ = wait(running, patience, return_when=FIRST_COMPLETED)
                    for future in done:
                        node, instance = running.pop(future)
                        self.take(node, instance, future.result())
            except BaseException:
                self.aborted.set()
                for node in self.nodes.values():
                    node.cancelled.set()
                raise

    def look_at_groups(self) -> None:
        """Cancel what lost its concurrency group; what never held it ends without having begun."""
        for node, reason, has_begun in self.guards.look(self.nodes.values()):
            if not has_begun:
                self.close(node, Result.CANCELLED, reason)
            elif node.instances or node.calls:
                self.cancel(node, reason)

    def reuse(self, node: Node, instance: Instance) -> JobOutcome | None:
        """What the run before says of this instance, when it succeeded then and nothing that it needs runs again."""
        if self.before is None:
            return None
        callers = [other for other in self.nodes.values() if node.caller is not None and node.caller in other.calls]
        needed = [*self.ancestors(node), *(one for caller in callers for one in self.ancestors(caller))]
        kept = taken_over(self.before, instance, needed, self.masker, self.artifacts)
        if kept is not None:
            self.finished(kept.record)
        return kept

    def open_ready(self) -> None:
        """Open every job whose needs are done; skipping one may make another ready, so go on until nothing moves."""
        moved = True
        while moved:
            moved = False
            for node in list(self.nodes.values()):
                if node.calls and node.result is None:
                    moved |= self.follow_calls(node)
                elif node.result is None and not node.instances and self.may_open(node):
                    self.open(node)
                    moved = True

    def may_open(self, node: Node) -> bool:
        may_start = (node.caller is None or node.caller.has_started) and self.guards.is_open(node.space)
        return may_start and self.needs_done(node)

    def follow_calls(self, node: Node) -> bool:
        """Start the calls of ``node`` that may run now, and end it when all are done; return whether anything moved."""
        results = [group.result for group in node.calls]
        if node.fail_fast and Result.FAILURE in results:
            self.cancel(node, "cancelled: another call of the matrix failed, and it is fail-fast")
        active = sum(group.has_started and group.result is None for group in node.calls)
        waiting = [group for group in node.calls if not group.has_started][: max(0, node.max_parallel - active)]
        for group in waiting:
            group.has_started = True
        done = worst([result for result in results if result is not None], len(results))
        if done is not None:
            self.end_calls(node, done)
        return bool(waiting) or done is not None

    def cancel(self, node: Node, reason: str = "") -> None:
        """Cancel a job with all that it calls."""
        for instance in node.instances:
            instance.cancelled.reason = instance.cancelled.reason or reason
        node.cancelled.set()
        for group in node.calls:
            for inner in group.nodes:
                self.cancel(inner, reason)

    def end_calls(self, node: Node, result: Result) -> None:
        """Enter what the calls of ``node`` came to: its result, and the outputs the called workflow declares."""
        for group in node.calls:
            jobs = {
                inner.job.id: {"result": inner.needs_result, "outputs": dict(inner.outputs)} for inner in group.nodes
            }
            try:
                found = outputs_of(group.workflow, group.scope, jobs)
            except ExpressionProblem as problem:
                self.note("error", self.masker.mask(f"{node.job.id}: {problem.message}"))
                result, found = Result.FAILURE, {}
            for name, value in found.items():
                if self.masker.mask(value) != value:
                    self.note("warning", f"The output '{name}' holds a secret and is not handed on.")
                elif value or name not in node.outputs:
                    node.outputs[name] = value
        node.result, node.needs_result = result, result.value

    def needed(self, node: Node) -> list[Node]:
        return [self.nodes[node.space, name] for name in node.job.needs]

    def needs_done(self, node: Node) -> bool:
        return all(other.result is not None for other in self.needed(node))

    def ancestors(self, node: Node) -> list[Node]:
        """Everything that a job needs, directly or through others, each once."""
        found = dict.fromkeys(self.needed(node))
        queue = list(found)
        for other in queue:
            fresh = [one for one in self.needed(other) if one not in found]
            found |= dict.fromkeys(fresh)
            queue += fresh
        return list(found)

    def open(self, node: Node) -> None:
        """Decide whether a job runs, and unfold its matrix."""
        before = [other.needs_result for other in self.ancestors(node)]
        reason = self.guards.why_cut(node.space)
        status = "success" if all(result == "success" for result in before) and not reason else "other"
        functions = status_functions(status)
        functions["failure"] = lambda _: "failure" in before
        functions["cancelled"] = lambda _: bool(reason) or ("cancelled" in before and "failure" not in before)
        needs = {
            other.job.id: {"result": other.needs_result, "outputs": dict(other.outputs)} for other in self.needed(node)
        }
        scope = Scope({**node.scope.contexts, "needs": needs}, functions)
        try:
            if not condition(node.job.condition, scope):
                result = Result.CANCELLED if reason else Result.SKIPPED
                self.close(node, result, reason or self.why_skipped(node, before))
                return
            self.unfold(node, scope)
        except ExpressionProblem as problem:
            self.close(node, Result.FAILURE, f"line {node.job.line}: {problem.message}")

    def why_skipped(self, node: Node, before: list[str]) -> str:
        failed = [other.job.id for other in self.ancestors(node) if other.needs_result != "success"]
        if before and failed:
            return f"skipped: {', '.join(failed)} did not succeed"
        return f"skipped: its condition is false ({node.job.condition})"

    def unfold(self, node: Node, scope: Scope) -> None:
        strategy = node.job.strategy
        if "" in strategy:
            computed = resolve(strategy[""], scope)
            strategy = computed if isinstance(computed, dict) else {}
        combinations = expand(resolve(strategy.get("matrix"), scope), self.request.matrix)
        if not combinations:
            self.close(node, Result.SKIPPED, "skipped: its matrix has no combination")
            return
        node.fail_fast = is_truthy(resolve(strategy.get("fail-fast", True), scope))
        limit = to_number(resolve(strategy.get("max-parallel"), scope))
        node.max_parallel = int(limit) if limit >= 1 else sys.maxsize
        groups: list[Group] = []
        for number, combination in enumerate(combinations):
            info = {
                "fail-fast": node.fail_fast,
                "job-index": number,
                "job-total": len(combinations),
                "max-parallel": min(node.max_parallel, len(combinations)),
            }
            inner = scope.with_contexts(matrix=combination or None, strategy=info)
            label = node.prefix + node.job.id + (f"-{number + 1}" if len(combinations) > 1 else "")
            name = node.title + display_name(node.job.name or node.job.id, combination, inner)
            if node.job.target is not None:
                groups.append(self.prepare_call(node, node.job.target, inner, label, name))
                continue
            instance = Instance(
                workflow=node.workflow,
                job=node.job,
                key=label,
                name=name,
                matrix=combination,
                contexts=dict(inner.contexts),
                cancelled=Linked(node.cancelled),
                log_name=label,
            )
            self.guards.seat(instance, claim_of(node.job.concurrency, inner), node.space)
            node.instances.append(instance)
        node.waiting = list(node.instances)
        node.calls = groups
        for group in groups:
            self.nodes |= {(inner_node.space, inner_node.job.id): inner_node for inner_node in group.nodes}

    def prepare_call(self, node: Node, target: Workflow, scope: Scope, label: str, title: str) -> Group:
        """The jobs of a called workflow, with what the call hands to them. Raises :class:`ExpressionProblem`."""
        handed = secrets_of(node.job, scope)
        for value in handed.values():
            self.masker.add(value)
        general = {name: scope.contexts[name] for name in ("github", "vars")}
        inputs = inputs_of(node.job, target, scope)
        inside = Scope({**general, "inputs": inputs, "secrets": handed, "needs": {}})
        space, prefix = f"{node.space}>{label}", f"{label}."
        self.guards.guard(space, [claim_of(node.job.concurrency, scope), claim_of(target.concurrency, inside)])
        group = Group(target, inside)
        whole = replace(self.request, jobs=())
        for job in chosen_jobs(target, whole):
            cancelled = threading.Event()
            if node.cancelled.is_set():
                cancelled.set()
            inner = Node(target, job, inside, space, prefix, f"{title} / ", group, cancelled=cancelled)
            group.nodes.append(inner)
        return group

    def close(self, node: Node, result: Result, reason: str) -> None:
        """End a job that never started."""
        reason = self.masker.mask(reason)
        node.result, node.needs_result = result, result.value
        node.skipped = JobRecord(
            id=node.job.id,
            name=self.masker.mask(node.title + (node.job.name or node.job.id)),
            workflow=node.workflow.path,
            result=result,
            needs=node.job.needs,
            reason=reason,
            key=node.prefix + node.job.id,
        )
        self.finished(node.skipped)

    def finished(self, record: JobRecord) -> None:
        """Tell of a job that ended without running."""
        self.tell(
            {
                "event": "job.finished",
                "at": instant(),
                "job": record.key,
                "id": record.id,
                "name": record.name,
                "result": record.result.value,
                "duration_ms": 0.0,
                "reason": record.reason,
                "reused": bool(record.reused),
            }
        )

    def take(self, node: Node, instance: Instance, outcome: JobOutcome) -> None:
        """Enter what an instance came to; when it was the last one, the job is done."""
        self.guards.leave(instance)
        node.running -= 1
        node.records[instance.key] = outcome
        node.outputs |= {name: value for name, value in outcome.outputs.items() if value or name not in node.outputs}
        self.annotations += outcome.annotations
        failed = outcome.record.result is Result.FAILURE and not outcome.is_tolerated
        if failed and node.fail_fast and len(node.instances) > 1:
            self.cancel(node, f"cancelled: {outcome.record.name} failed, and the matrix is fail-fast")
        if len(node.records) < len(node.instances):
            return
        results = [Result.SUCCESS if one.is_tolerated else one.record.result for one in node.records.values()]
        node.result = worst(results, len(results))
        node.needs_result = str(node.result)


def _prefixes(paths: list[str]) -> dict[str, str]:
    """What goes before a job's id in keys and log names, so that jobs of several workflows stay apart."""
    if len(paths) == 1:
        return {paths[0]: ""}
    stems = [Path(path).stem for path in paths]
    return {
        path: f"{stem}." if stems.count(stem) == 1 else f"{stem}.{number}."
        for number, (path, stem) in enumerate(zip(paths, stems, strict=True), 1)
    }


def run(
    tree: Path,
    request: RunRequest,
    on_event: Callable[[dict[str, object]], None] | None = None,
    *,
    before: Before | None = None,
    on_failure: OnFailure | None = None,
) -> Report:
    """Run the workflows of ``tree`` and report; no state is read or kept, and ``tree`` is not written to, except that
    ``lock_actions`` adds to its lock file.

    ``on_event`` hears of the run, its jobs, steps and lines as they come, one call at a time, masked. Failed jobs
    and steps are results. Raises :class:`ecluse.errors.Invalid` when a workflow is wrong or none is started, before
    anything runs. With ``before``, jobs that succeeded then are not run again. ``on_failure`` is called at each step
    that fails its job, one at a time, while the place of the failure is still there.
    """
    if not request.run_id:
        request = replace(request, run_id=str(int(now().timestamp() * 1000)))
    remote = Remote(tree, request.actions_url, network=not request.dry_run, update=request.update_actions)
    workflows = load_workflows(tree, request, remote)
    request = with_commit(tree, narrow(workflows, request))
    intended = plan_workflows(workflows, request)
    if request.dry_run:
        return ending.dry_report(request, intended)
    if request.counters is not None and not request.numbers:
        paths = [workflow.path for workflow in workflows]
        request = replace(request, numbers=take(request.counters, request.run_id, paths))
    runner = Runner(tree, request, workflows, on_event, remote, before=before, on_failure=on_failure)
    runner.planned = len(intended.jobs)
    return runner.run()
