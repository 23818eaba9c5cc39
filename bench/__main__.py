"""``make bench``: whole processes side by side in one run, medians, with the peers they are measured against.

``python -m bench NAME...`` measures some only. The exit status is 1 when a bar is missed.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.doors import measure_demo, measure_doors
from bench.hostile import measure_hostile
from bench.intake import measure_intake
from bench.memory import measure_memory
from bench.resume import measure_resume

DEMOS = int(os.environ.get("ECLUSE_BENCH_DEMOS", "3"))
ROUNDS = int(os.environ.get("ECLUSE_BENCH_ROUNDS", "15"))
RESUMES = int(os.environ.get("ECLUSE_BENCH_RESUMES", "5"))
INTAKE_ROUNDS = int(os.environ.get("ECLUSE_BENCH_INTAKE_ROUNDS", "7"))

SUBJECTS: dict[str, tuple[Callable[[Path, str, int], bool], int]] = {
    "doors": (measure_doors, ROUNDS),
    "intake": (measure_intake, INTAKE_ROUNDS),
    "memory": (measure_memory, 1),
    "hostile": (measure_hostile, 1),
    "resume": (measure_resume, RESUMES),
    "demo": (measure_demo, DEMOS),
}


def main(names: list[str]) -> int:
    """Measure what is named (all without); 0 when every bar is met."""
    ecluse = str(Path(sys.executable).with_name("ecluse"))
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    met = []
    for name in names or SUBJECTS:
        measure, rounds = SUBJECTS[name]
        with tempfile.TemporaryDirectory(prefix="ecluse-bench-") as folder:
            met.append(measure(Path(folder), ecluse, rounds))
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
