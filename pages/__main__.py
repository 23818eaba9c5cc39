"""``python -m pages build [FOLDER]`` makes the site (default build/docs), ``python -m pages write`` the generated pages."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from ecluse.release.steps import manual
from pages import reading, references, verbs


def generated() -> Iterator[tuple[str, str]]:
    """Path below docs/ and text of every page that is made from code; verbs last, for they name other pages."""
    yield "steps.md", manual.page()
    yield from references.made().items()
    yield from verbs.made().items()


def main(words: list[str]) -> int:
    """Do what was asked; the exit status."""
    match words:
        case ["write"]:
            for name, text in generated():
                path = reading.DOCS / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
        case ["build", *folder]:
            from pages.site import build

            try:
                count = build(Path(folder[0]) if folder else reading.ROOT / "build" / "docs")
            except reading.Faulty as fault:
                sys.stderr.write(f"{fault}\n")
                return 1
            sys.stdout.write(f"{count} pages\n")
        case _:
            sys.stderr.write(f"{__doc__}\n")
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
