"""The site: complete, whole in itself, and no page made from code is older than the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ecluse.cli.examples import EXAMPLES
from ecluse.cli.group import VERBS
from pages import reading, references, site
from pages.__main__ import generated, main


def test_pages_made_from_code_are_up_to_date() -> None:
    old = [name for name, text in generated() if (reading.DOCS / name).read_text(encoding="utf-8") != text]
    assert old == [], "type: python -m pages write"


def test_every_field_of_the_references_has_a_meaning() -> None:
    for text in references.made().values():
        assert not re.findall(r"^\| `[^|]*\|[^|]*\|\s*\|$", text, flags=re.M)


def test_every_verb_has_a_page_with_examples() -> None:
    assert set(EXAMPLES) == set(VERBS)
    assert {page.stem for page in (reading.DOCS / "verbs").glob("*.md")} == {*VERBS, "index"}


def test_the_site_needs_nothing_from_elsewhere_and_its_links_lead_somewhere(tmp_path: Path) -> None:
    assert main(["build", str(tmp_path / "site")]) == 0
    built = sorted((tmp_path / "site").rglob("*.html"))
    assert len(built) == len(reading.pages()) - 1, "all but the README"
    for page in built:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r'<(?:script|img|link)[^>]+(?:src|href)="(?:https?:)?//', text), page
        anchors = set(re.findall(r' id="([^"]+)"', text))
        for target in re.findall(r'(?:href|src)="([^"]+)"', text):
            path, _, anchor = target.partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            assert not path or (page.parent / path).is_file(), f"{page}: {target}"
            assert path or anchor in anchors, f"{page}: {target}"
    assert "<!--" not in (tmp_path / "site" / "start.html").read_text()
    style = (tmp_path / "site" / "style.css").read_text()
    assert "url(" not in style and "@import" not in style


def test_a_page_that_nothing_leads_to_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "docs").mkdir()
    for name, text in {
        "README.md": "# R\n",
        "docs/index.md": "# I\n\n## A\n\n* [b](b.md)\n",
        "docs/b.md": "# B\n",
    }.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "docs" / "lost.md").write_text("# L\n\n[x](gone.md)\n")
    for module in (reading, site.reading):
        monkeypatch.setattr(module, "ROOT", tmp_path)
        monkeypatch.setattr(module, "DOCS", tmp_path / "docs")
    monkeypatch.setattr(site, "INDEX", tmp_path / "docs" / "index.md")
    assert [(group.name, [name for name, _ in group.entries]) for group in site.navigation()] == [("A", ["b"])]
    with pytest.raises(reading.Faulty) as fault:
        site.build(tmp_path / "site")
    assert str(fault.value).splitlines() == [
        "docs/lost.md:3: gone.md: no such file",
        "docs/index.md does not lead to docs/lost.md",
    ]
    assert not (tmp_path / "site").exists()
