"""What runs the tests of a JavaScript project, and how it is asked for results and coverage.

Arguments can only be added to a script that is one command; a script that is more runs as it is, without results.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ecluse.kit import pins

_ONE_COMMAND = re.compile(r"^(?:npx )?(?:cross-env )?(?:[A-Z_]+=\S+ )*(vitest|jest|node)\b([^&|;<>`$]*)$")


@dataclass(frozen=True, slots=True)
class Runner:
    """A runner of tests; ``coverage`` is whether what its coverage needs is there, ``script`` what ``npm test`` runs."""

    name: str = ""
    coverage: bool = False
    script: str = ""


NONE = Runner()


def of(document: dict[str, Any]) -> Runner:
    """The runner behind the script ``test`` of a ``package.json``; :data:`NONE` for one that takes no arguments."""
    scripts = document.get("scripts")
    script = scripts.get("test") if isinstance(scripts, dict) else None
    found = _ONE_COMMAND.match(script.strip()) if isinstance(script, str) else None
    if found is None or (found.group(1) == "node" and not _tests_by_node(found.group(0))):
        return NONE
    brought: set[str] = set()
    for table in ("dependencies", "devDependencies"):
        named = document.get(table)
        brought |= set(named) if isinstance(named, dict) else set()
    name = found.group(1)
    coverage = name != "vitest" or bool(brought & {"@vitest/coverage-v8", "@vitest/coverage-istanbul"})
    return Runner(name, coverage, str(script).strip())


def with_results(runner: Runner, run: str = "npm run ") -> tuple[str, ...]:
    """The lines that run the tests and leave ``reports/unit.xml`` (JUnit) and, where they can, a coverage file there."""
    test = f"{run}test"
    told = f"{test} --" if run == "npm run " else test  # the others hand on what follows, and this sign too
    if runner.name == "vitest":
        words = f"{told} --run --reporter=default --reporter=junit --outputFile.junit=reports/unit.xml"
        more = (
            " --coverage --coverage.reporter=cobertura --coverage.reportsDirectory=reports" if runner.coverage else ""
        )
        return (words + more,)
    if runner.name == "jest":
        tool = "$RUNNER_TEMP/jest"
        words = f'{told} --ci --reporters=default --reporters="{tool}/node_modules/jest-junit"'
        return (
            f'npm install --prefix "{tool}" --no-audit --no-fund jest-junit@{pins.JEST_JUNIT}',
            "export JEST_JUNIT_OUTPUT_DIR=reports JEST_JUNIT_OUTPUT_NAME=unit.xml",
            f"{words} --coverage --coverageReporters=cobertura --coverageDirectory=reports",
        )
    if runner.name == "node":
        kinds = (("spec", "stdout"), ("junit", "reports/unit.xml"), ("lcov", "reports/lcov.info"))
        words = " ".join(f"--test-reporter={kind} --test-reporter-destination={to}" for kind, to in kinds)
        script = re.sub(r"\bnode ", f"node --experimental-test-coverage {words} ", runner.script, count=1)
        return ("mkdir -p reports", script)  # npm adds words behind the script, where node takes them for files
    return (test,)


def _tests_by_node(script: str) -> bool:
    """``node --test`` itself; not behind programs of the project, which only npm finds."""
    return "--test" in script.split() and not script.startswith(("npx ", "cross-env "))
