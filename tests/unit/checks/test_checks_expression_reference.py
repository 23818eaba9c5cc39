"""The reference cases of GitHub's expression language: value, or phase and words of the error."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ecluse.checks import expression as grammar
from ecluse.checks.evaluate import Scope, condition, evaluate, interpolate, status_functions
from ecluse.checks.expression import FUNCTIONS, HASH_FILES, STATUS_FUNCTIONS, Allowed, ExpressionProblem
from ecluse.checks.hashfiles import hash_files
from ecluse.checks.references import hints
from ecluse.checks.values import CaseSensitive, kind
from ecluse.yaml12 import Mapping, parse

SHARED = Path(os.environ.get("ECLUSE_SHARED") or Path(__file__).resolve().parents[4] / "shared")
CASES = SHARED / "conformance" / "expressions.json"

FLOOR = 1061
"""Cases that were right when this was last measured; it may only rise."""


def scope_of(case: dict[str, Any]) -> Scope:
    contexts = {name.lower(): value for name, value in case["contexts"].items()}
    if "env" in contexts:
        contexts["env"] = CaseSensitive(contexts["env"])
    status = case["contexts"]["github"]["action_status"] if case.get("in_composite") else case.get("status")
    functions = status_functions(status or "success")
    folder = SHARED / "conformance" / "workflows" / ("hashfiles" if case.get("workdir") else "nothing-here")
    functions["hashfiles"] = lambda patterns: hash_files(folder, patterns)
    return Scope(contexts, functions)


def same(kind_wanted: str, value_wanted: Any, value: Any) -> bool:
    if kind(value) != kind_wanted:
        return False
    if kind_wanted == "Number":
        wanted = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}.get(value_wanted, value_wanted)
        return (math.isnan(wanted) and math.isnan(value)) or wanted == value
    return bool(value == value_wanted)


def verdict(case: dict[str, Any]) -> str:
    """Empty when the case comes out as it should, else what came out."""
    mode, source = case["mode"], case["expr"]
    allowed = Allowed.of(*case["contexts"], functions=FUNCTIONS | STATUS_FUNCTIONS | HASH_FILES)
    wanted = case.get("reference") if mode in ("expr", "parse") and case.get("reference") else None
    if wanted is None:
        wanted = case.get("error") and {"error": case["error"]["phase"], "message": case["error"]["message"]}
        wanted = wanted or case["expected"]
    try:
        if mode == "template":
            out: Any = interpolate(source, scope_of(case))
            return "" if out == wanted else repr(out)
        if mode == "if":
            out = condition(source, scope_of(case))
            return "" if out == wanted else repr(out)
        if mode == "rewrite":
            parts = grammar.split(source)
            out = source if len(parts) == 1 else grammar.as_format(source)
            return "" if out == wanted else repr(out)
        if mode == "rewrite-force":
            out = grammar.as_format(source)
            return "" if out == wanted else repr(out)
        if mode == "parse":
            grammar.parse(source)
            return "" if "error" not in wanted or wanted["error"] == "evaluation" else "it parses"
        grammar.parse(source, allowed)
        out = evaluate(source, scope_of(case))
    except ExpressionProblem as problem:
        if not isinstance(wanted, dict) or wanted.get("error") != problem.phase:
            return f"{problem.phase}: {problem.message}"
        exact = case.get("reference") and mode == "expr"
        return "" if not exact or wanted["message"] == problem.message else problem.message
    if "kind" not in wanted:
        return repr(out)
    alternatives = [wanted] + ([case["expected"]] if case.get("agrees") is False and "expected" in case else [])
    return "" if any(same(a["kind"], a["value"], out) for a in alternatives) else repr(out)


TYPED_FLOOR = 87
"""Type checks of another tool that come out the same here; GitHub itself has no types, so some are no faults."""


def is_told(source: str, *, functions: tuple[str, ...] = ()) -> bool:
    """Whether anything is said of an expression before it runs: a fault, or a hint in the report."""
    contexts = (
        "github",
        "env",
        "job",
        "jobs",
        "steps",
        "runner",
        "secrets",
        "strategy",
        "matrix",
        "needs",
        "inputs",
        "vars",
    )
    own = dict.fromkeys(functions, (0, 9))
    try:
        grammar.parse(source, Allowed.of(*contexts, functions=FUNCTIONS | STATUS_FUNCTIONS | HASH_FILES | own))
    except ExpressionProblem:
        return True
    job = {
        "strategy": {"matrix": {"foo": [1]}},
        "steps": [{"id": "bar", "run": f"${{{{ {source} }}}}"}],
    }
    if functions:
        return False
    document = parse(json.dumps({"on": {"workflow_dispatch": {"inputs": {"x": {}}}}, "jobs": {"a": job}}))
    assert isinstance(document, Mapping)
    return bool(hints(document, "ci.yml"))


@pytest.mark.skipif(not CASES.is_file(), reason="the reference cases are not beside this repository (ECLUSE_SHARED)")
def test_type_checks(capsys: pytest.CaptureFixture[str]) -> None:
    """Those that use functions or contexts made up for the case need only be read."""
    wrong = []
    cases = [case for case in json.loads(CASES.read_text("utf-8"))["cases"] if case["mode"] == "typecheck"]
    for case in cases:
        is_made_up = bool(case.get("custom_names"))
        told = is_told(case["expr"], functions=("test", "foo", "bar") if is_made_up else ())
        if told != ("error" in case):
            wrong.append(case["expr"])
    with capsys.disabled():
        print(
            f"\ntype checks: {len(cases) - len(wrong)} of {len(cases)} {wrong if os.environ.get('ECLUSE_SHOW') else ''}"
        )
    assert len(cases) - len(wrong) >= TYPED_FLOOR


@pytest.mark.skipif(not CASES.is_file(), reason="the reference cases are not beside this repository (ECLUSE_SHARED)")
def test_reference_cases(capsys: pytest.CaptureFixture[str]) -> None:
    cases = json.loads(CASES.read_text("utf-8"))["cases"]
    judged = [case for case in cases if case["mode"] != "typecheck"]
    wrong = [(case, verdict(case)) for case in judged]
    wrong = [(case, said) for case, said in wrong if said]
    with capsys.disabled():
        total, right = len(judged), len(judged) - len(wrong)
        print(f"\nexpressions: {right} of {total} ({len(cases) - total} static type checks have a test of their own)")
        for case, said in wrong[: int(os.environ.get("ECLUSE_SHOW", "0"))]:
            print(
                f"  {case['mode']} {case['expr']!r:.160} gave {said:.200}; wanted {case.get('reference') or case.get('expected') or case.get('error')!s:.300}"
            )
        if wrong:
            print("  ", Counter(case["source"].split()[-1] for case, _ in wrong))
    assert right >= FLOOR
