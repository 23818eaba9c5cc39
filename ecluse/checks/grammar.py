"""What a workflow file and an action file may hold: the rules of GitHub's documented syntax, as data."""

from __future__ import annotations

from ecluse.checks.expression import HASH_FILES, STATUS_FUNCTIONS, Allowed
from ecluse.checks.schema import Anything, Flag, Items, Null, Number, OneOf, Rule, Table, Text, Within

_GENERAL = ("github", "inputs", "vars")
_STEP_STATUS = dict.fromkeys(STATUS_FUNCTIONS, (0, 0))

AT_RUN = Allowed.of(*_GENERAL)
AT_RUN_WITH_SECRETS = Allowed.of(*_GENERAL, "secrets")
AT_NEEDS = Allowed.of(*_GENERAL, "needs")
AT_JOB = Allowed.of(*_GENERAL, "needs", "strategy", "matrix")
AT_JOB_WITH_SECRETS = Allowed.of(*_GENERAL, "needs", "strategy", "matrix", "secrets")
AT_JOB_WITH_ENV = Allowed.of(*_GENERAL, "needs", "strategy", "matrix", "env")
AT_JOB_IF = Allowed.of(*_GENERAL, "needs", functions=STATUS_FUNCTIONS)
_STEP_CONTEXTS = (*_GENERAL, "needs", "strategy", "matrix", "steps", "job", "runner", "env")
AT_STEP = Allowed.of(*_STEP_CONTEXTS, "secrets", functions=HASH_FILES)
AT_STEP_IF = Allowed.of(*_STEP_CONTEXTS, functions={**_STEP_STATUS, **HASH_FILES})
AT_OUTPUT = Allowed.of(*_STEP_CONTEXTS, "secrets")
AT_URL = Allowed.of(*_STEP_CONTEXTS)
AT_CALL_OUTPUT = Allowed.of(*_GENERAL, "jobs")
AT_COMPOSITE = Allowed.of(
    "github", "inputs", "strategy", "matrix", "steps", "job", "runner", "env", functions=HASH_FILES
)
AT_COMPOSITE_IF = Allowed.of(
    "github", "inputs", "strategy", "matrix", "steps", "job", "runner", "env", functions={**_STEP_STATUS, **HASH_FILES}
)

TEXT = Text()
FILLED = Text(non_empty=True)
FILLED_LIST = Items(FILLED)
ONE_OR_MORE = OneOf((FILLED, FILLED_LIST))
_TEXTS = Table(loose=TEXT)

_ACTIVITIES: dict[str, str] = {
    "branch_protection_rule": "created edited deleted",
    "check_run": "completed created rerequested requested_action",
    "check_suite": "completed",
    "discussion": "created edited deleted transferred pinned unpinned labeled unlabeled locked unlocked "
    "category_changed answered unanswered",
    "discussion_comment": "created edited deleted",
    "issue_comment": "created edited deleted",
    "issues": "opened edited deleted transferred pinned unpinned closed reopened assigned unassigned labeled "
    "unlabeled locked unlocked milestoned demilestoned field_added field_removed typed untyped",
    "label": "created edited deleted",
    "merge_group": "checks_requested",
    "milestone": "created closed opened edited deleted",
    "project": "created closed reopened edited deleted",
    "project_card": "created moved converted edited deleted",
    "project_column": "created updated moved deleted",
    "pull_request_comment": "created edited deleted",
    "pull_request_review": "submitted edited dismissed",
    "pull_request_review_comment": "created edited deleted",
    "registry_package": "published updated",
    "release": "published unpublished created edited deleted prereleased released",
    "watch": "started",
}
_PULL_REQUEST = (
    "assigned unassigned labeled unlabeled opened edited closed reopened synchronize converted_to_draft locked "
    "unlocked enqueued dequeued milestoned demilestoned ready_for_review review_requested review_request_removed "
    "auto_merge_enabled auto_merge_disabled stacked"
)
_BARE_EVENTS = (
    "create", "delete", "deployment", "deployment_status", "fork", "gollum", "page_build", "public", "status",
)  # fmt: skip


def _event(types: str = "", *filters: str, **more: Rule) -> Rule:
    properties: dict[str, Rule] = dict.fromkeys(filters, ONE_OR_MORE)
    if types:
        activity = Text(values=tuple(types.split()))
        properties["types"] = OneOf((activity, Items(activity)))
    return OneOf((Null(), Table(properties | more)))


_BRANCHES = ("branches", "branches-ignore")
_PATHS = ("paths", "paths-ignore")
_INPUT_TYPES = ("string", "boolean", "number")
_DEFAULT = OneOf((TEXT, Flag(), Number()))
_CALL_INPUT = Table(
    {
        "description": TEXT,
        "type": Text(values=_INPUT_TYPES),
        "required": Flag(),
        "default": Within(AT_RUN, _DEFAULT),
        "deprecationMessage": TEXT,
    },
    required=("type",),
)
_DISPATCH_INPUT = Table(
    {
        "description": TEXT,
        "type": Text(values=(*_INPUT_TYPES, "environment", "choice")),
        "required": Flag(),
        "default": _DEFAULT,
        "options": Items(TEXT),
        "deprecationMessage": TEXT,
    }
)
_NOTHING = Null()

EVENTS: dict[str, Rule] = {
    **{name: _event(types) for name, types in _ACTIVITIES.items()},
    **dict.fromkeys(_BARE_EVENTS, _NOTHING),
    "image_version": _event("created ready deleted", "names", "versions"),
    "merge_group": _event(_ACTIVITIES["merge_group"], *_BRANCHES),
    "pull_request": _event(_PULL_REQUEST, *_BRANCHES, *_PATHS),
    "pull_request_target": _event(_PULL_REQUEST, *_BRANCHES, *_PATHS),
    "push": _event("", *_BRANCHES, *_PATHS, "tags", "tags-ignore"),
    "repository_dispatch": OneOf((Null(), Table({"types": ONE_OR_MORE}))),
    "schedule": Items(Table({"cron": FILLED, "timezone": FILLED}, required=("cron",))),
    "workflow_call": OneOf(
        (
            Null(),
            Table(
                {
                    "inputs": OneOf((Null(), Table(loose=OneOf((Null(), _CALL_INPUT))))),
                    "secrets": OneOf(
                        (Null(), Table(loose=OneOf((Null(), Table({"description": TEXT, "required": Flag()})))))
                    ),
                    "outputs": Table(
                        loose=Table({"description": TEXT, "value": Within(AT_CALL_OUTPUT, TEXT)}, required=("value",))
                    ),
                }
            ),
        )
    ),
    "workflow_dispatch": OneOf(
        (Null(), Table({"inputs": OneOf((Null(), Table(loose=OneOf((Null(), _DISPATCH_INPUT)))))}, loose=Anything()))
    ),
    "workflow_run": _event("completed requested in_progress", *_BRANCHES, "workflows"),
}

_PERMISSIONS = (
    "actions artifact-metadata attestations checks code-quality contents copilot-requests deployments discussions "
    "drives id-token issues models packages pages pull-requests repository-projects security-events statuses "
    "vulnerability-alerts workflows"
)
_ENVIRONMENT = Table({"name": TEXT, "url": Within(AT_URL, TEXT), "deployment": Flag()}, required=("name",))
_CREDENTIALS = Within(Allowed.of(*_GENERAL, "secrets", "env"), Table({"username": FILLED, "password": FILLED}))
_SNAPSHOT = Table(
    {
        "image-name": FILLED,
        "version": FILLED,
        "if": Within(
            Allowed.of(*_GENERAL, "needs", "strategy", "matrix", functions=_STEP_STATUS), Text(is_condition=True)
        ),
    },
    required=("image-name",),
)
_CONTAINER: dict[str, Rule] = {
    "image": FILLED,
    "options": TEXT,
    "env": Table(loose=Within(AT_OUTPUT, TEXT)),
    "ports": FILLED_LIST,
    "volumes": FILLED_LIST,
    "credentials": _CREDENTIALS,
}
_STEP_COMMON: dict[str, Rule] = {
    "name": Within(AT_STEP, TEXT),
    "id": FILLED,
    "continue-on-error": Within(AT_STEP, Flag()),
}
_STEP_RUNNING: dict[str, Rule] = {
    **_STEP_COMMON,
    "if": Within(AT_STEP_IF, Text(is_condition=True)),
    "timeout-minutes": Within(AT_STEP, Number()),
    "env": Within(AT_STEP, _TEXTS),
    "background": Flag(),
}
_CONCURRENCY = Table(
    {"group": FILLED, "cancel-in-progress": Flag(), "queue": Text(values=("single", "max"))}, required=("group",)
)
_JOB_COMMON: dict[str, Rule] = {
    "name": Within(AT_JOB, TEXT),
    "needs": ONE_OR_MORE,
    "if": Within(AT_JOB_IF, Text(is_condition=True)),
    "permissions": "permissions",
    "concurrency": Within(AT_JOB, OneOf((FILLED, _CONCURRENCY))),
    "strategy": "strategy",
}

RULES: dict[str, Rule] = {
    "workflow": Table(
        {
            "on": "on",
            "name": TEXT,
            "description": TEXT,
            "run-name": Within(AT_RUN, TEXT),
            "defaults": Table({"run": Table({"shell": FILLED, "working-directory": FILLED})}),
            "env": Within(AT_RUN_WITH_SECRETS, _TEXTS),
            "permissions": "permissions",
            "concurrency": Within(AT_RUN, OneOf((TEXT, _CONCURRENCY))),
            "jobs": Table(loose="job"),
        },
        required=("on", "jobs"),
    ),
    "on": OneOf((Text(values=tuple(EVENTS)), Items(Text(values=tuple(EVENTS))), Table(EVENTS))),
    "permissions": OneOf(
        (
            Text(values=("read-all", "write-all")),
            Table({name: Text(values=("read", "write", "none")) for name in _PERMISSIONS.split()}),
        )
    ),
    "job": OneOf(("own-job", "calling-job")),
    "own-job": Table(
        {
            **_JOB_COMMON,
            "runs-on": Within(AT_JOB, OneOf((ONE_OR_MORE, Table({"group": FILLED, "labels": ONE_OR_MORE})))),
            "timeout-minutes": Within(AT_JOB, Number()),
            "cancel-timeout-minutes": Within(AT_JOB, Number()),
            "continue-on-error": Within(AT_JOB, Flag()),
            "container": Within(AT_JOB, OneOf((TEXT, Table(_CONTAINER)))),
            "services": Within(
                AT_JOB, Table(loose=OneOf((FILLED, Table({**_CONTAINER, "entrypoint": TEXT, "command": TEXT}))))
            ),
            "env": Within(AT_JOB_WITH_SECRETS, _TEXTS),
            "environment": Within(AT_JOB, OneOf((TEXT, _ENVIRONMENT))),
            "outputs": Table(loose=Within(AT_OUTPUT, TEXT)),
            "defaults": Table({"run": Within(AT_JOB_WITH_ENV, Table({"shell": FILLED, "working-directory": FILLED}))}),
            "steps": "steps",
            "snapshot": OneOf((FILLED, _SNAPSHOT)),
        },
        required=("runs-on",),
    ),
    "calling-job": Table(
        {
            **_JOB_COMMON,
            "uses": FILLED,
            "with": Within(AT_JOB, Table(loose=OneOf((TEXT, Flag(), Number())))),
            "secrets": Within(AT_JOB_WITH_SECRETS, OneOf((Text(values=("inherit",)), _TEXTS))),
        },
        required=("uses",),
    ),
    "strategy": Within(
        AT_NEEDS,
        Table(
            {
                "fail-fast": Flag(),
                "max-parallel": Number(),
                "matrix": Table({"include": "matrix-filter", "exclude": "matrix-filter"}, loose=Items(Anything())),
            }
        ),
    ),
    "matrix-filter": Items(Table(loose=Anything())),
    "steps": Items("step"),
    "step": OneOf(("run-step", "uses-step", "wait-step", "wait-all-step", "cancel-step", "parallel-step")),
    "run-step": Table(
        {
            **_STEP_RUNNING,
            "run": Within(AT_STEP, TEXT),
            "working-directory": Within(AT_STEP, TEXT),
            "shell": FILLED,
        },
        required=("run",),
    ),
    "uses-step": Table(
        {**_STEP_RUNNING, "uses": FILLED, "with": Within(AT_STEP, _TEXTS)},
        required=("uses",),
    ),
    "wait-step": Table({**_STEP_COMMON, "wait": ONE_OR_MORE}, required=("wait",), quiet=True),
    "wait-all-step": Table({**_STEP_COMMON, "wait-all": OneOf((Null(), Flag()))}, required=("wait-all",), quiet=True),
    "cancel-step": Table({**_STEP_COMMON, "cancel": FILLED}, required=("cancel",), quiet=True),
    "parallel-step": Table({"parallel": "steps"}, required=("parallel",)),
    "action": Table({"runs": "composite"}, required=("runs",), loose=Within(AT_COMPOSITE, Anything())),
    "composite": Table({"using": FILLED, "steps": Items("composite-step")}, required=("using", "steps")),
    "composite-step": OneOf(("composite-run-step", "composite-uses-step")),
    "composite-run-step": Table(
        {
            "name": Within(AT_COMPOSITE, TEXT),
            "id": FILLED,
            "if": Within(AT_COMPOSITE_IF, Text(is_condition=True)),
            "run": Within(AT_COMPOSITE, TEXT),
            "env": Within(AT_COMPOSITE, _TEXTS),
            "continue-on-error": Within(AT_COMPOSITE, Flag()),
            "working-directory": Within(AT_COMPOSITE, TEXT),
            "shell": Within(AT_COMPOSITE, FILLED),
        },
        required=("run", "shell"),
    ),
    "composite-uses-step": Table(
        {
            "name": Within(AT_COMPOSITE, TEXT),
            "id": FILLED,
            "if": Within(AT_COMPOSITE_IF, Text(is_condition=True)),
            "uses": FILLED,
            "continue-on-error": Within(AT_COMPOSITE, Flag()),
            "with": Within(AT_COMPOSITE, _TEXTS),
            "env": Within(AT_COMPOSITE, _TEXTS),
        },
        required=("uses",),
    ),
}
