"""What is wrong with a Dockerfile, said without an engine: the rules of hadolint that matter, and a few of our own.

``reading`` takes the text apart, ``rules`` judges it. Nothing is run and nothing is asked for.
"""

from __future__ import annotations

from ecluse.dockerfiles.reading import Dockerfile, Instruction, Stage, read
from ecluse.dockerfiles.rules import Finding, Level, is_dockerfile, lint

__all__ = ["Dockerfile", "Finding", "Instruction", "Level", "Stage", "is_dockerfile", "lint", "read"]
