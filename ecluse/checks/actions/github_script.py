"""``actions/github-script``: a script for Node with ``core``, ``context``, ``exec``, ``io``, ``glob`` and ``github``.

The parts are our own, in ``github_script.js``. The forge's API is asked only when an address for it was given
(``GITHUB_API_URL`` in the environment or with ``--env``, or the input ``base-url``); otherwise a call of it fails the
step and says so.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from ecluse.checks.actions import ActionCall, Outcome
from ecluse.checks.actions.javascript import find_node, source_variables
from ecluse.checks.output import StepOutput
from ecluse.model import Result

_HOST = Path(__file__).with_name("github_script.js")
_CONTEXT = ("sha", "ref", "workflow", "action", "actor", "job")


def run(call: ActionCall) -> Outcome:
    """Run the script; what it returns becomes the output ``result``."""
    encoding = call.input("result-encoding", "json")
    if encoding not in ("json", "string"):
        return Outcome(Result.FAILURE, reason='"result-encoding" must be either "string" or "json"')
    session = call.session
    github = {**session.github, "action": call.frame.action}
    api = call.input("base-url") or session.request.env.get("GITHUB_API_URL") or os.environ.get("GITHUB_API_URL", "")
    owner, _, name = str(github["repository"]).partition("/")
    document = {
        "script": call.given("script"),
        "encoding": encoding,
        "api": api,
        "token": call.input("github-token", str(github["token"])),
        "retries": call.input("retries", "0"),
        "user_agent": call.input("user-agent", "actions/github-script"),
        "context": {
            **{key: github.get(key, "") for key in _CONTEXT},
            "payload": github["event"],
            "eventName": github["event_name"],
            "runAttempt": int(str(github["run_attempt"])),
            "runNumber": int(str(github["run_number"])),
            "runId": int(str(github["run_id"])),
            "apiUrl": github["api_url"],
            "serverUrl": github["server_url"],
            "graphqlUrl": github["graphql_url"],
            "repo": {"owner": owner, "repo": name},
        },
    }
    path = session.new_file(".json")
    path.write_text(json.dumps(document), encoding="utf-8")
    path.chmod(0o600)
    env = session.environment(call.frame, call.env)
    node = find_node(session, env, "")
    env |= {f"INPUT_{key.replace(' ', '_').upper()}": value for key, value in call.inputs.items()}
    env |= source_variables(call.step.uses, call.step.id)
    said = StepOutput(session, env)
    try:
        code = session.start(
            [node, str(_HOST), str(path)],
            said.line,
            frame=call.frame,
            cwd=session.workspace,
            env=env | said.variables,
            timeout_s=call.limit_s,
        )
    finally:
        path.unlink(missing_ok=True)
        said.close()
        call.outputs.update(said.outputs)
    if code != 0:
        return Outcome(Result.FAILURE, code, f"Process completed with exit code {code}.")
    return Outcome(Result.FAILURE, code, said.failure) if said.failure else Outcome(Result.SUCCESS, code)
