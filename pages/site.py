"""The pages of docs/ as a static site: no script or picture from elsewhere, every link checked before a file is written.

The navigation is ``docs/index.md``: its second-level headings are groups, the links of their lists are entries. A page
that cannot be reached from there is a fault, as a dead link is.
"""

from __future__ import annotations

import copy
import html
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pygments
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

from ecluse import __version__
from pages import reading

HERE = Path(__file__).resolve().parent
INDEX = reading.DOCS / "index.md"
_LEXERS = {"sh": "bash", "console": "console"}
_COLOURS = HtmlFormatter(nowrap=True)


@dataclass(frozen=True)
class Group:
    """A group of the navigation: its name and its pages with the words that stand for them."""

    name: str
    entries: tuple[tuple[str, Path], ...]


def build(target: Path) -> int:
    """Write the site to ``target``, which is made anew; how many pages. Raises :class:`reading.Faulty`."""
    listed = [page for page in reading.pages() if page.is_relative_to(reading.DOCS)]
    faults = [fault for page in [reading.ROOT / "README.md", *listed] for fault in reading.dead_links(page)]
    groups = navigation()
    faults += [f"docs/index.md does not lead to {page.relative_to(reading.ROOT)}" for page in _unreachable(listed)]
    if faults:
        raise reading.Faulty("\n".join(faults))
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    frame = _frame()
    for page in listed:
        path = target / page.relative_to(reading.DOCS).with_suffix(".html")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(frame.render(_words(page, groups)), encoding="utf-8")
    _extras(target, listed)
    return len(listed)


def navigation() -> list[Group]:
    """The groups of ``docs/index.md``."""
    groups: list[Group] = []
    listed = reading.tokens(INDEX)
    for place, token in enumerate(listed):
        if token.type == "heading_open" and token.tag == "h2":
            groups.append(Group(reading.plain(listed[place + 1]), ()))
        elif token.type == "inline" and groups and listed[place - 1].type == "paragraph_open":
            found = tuple(_entries(token))
            if found and listed[place - 2].type == "list_item_open":
                groups[-1] = Group(groups[-1].name, (*groups[-1].entries, *found[:1]))
    return groups


def _entries(token: Token) -> Iterator[tuple[str, Path]]:
    children = token.children or []
    for place, child in enumerate(children):
        target = str(child.attrs.get("href", ""))
        if child.type == "link_open" and target.endswith(".md"):
            words = []
            for below in children[place + 1 :]:
                if below.type == "link_close":
                    break
                words.append(below.content)
            yield "".join(words), (INDEX.parent / target).resolve()


def _unreachable(listed: list[Path]) -> list[Path]:
    """Pages to which no chain of links leads from the index."""
    reached, waiting = set[Path](), [INDEX]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md" or not page.is_file():
            continue
        reached.add(page)
        waiting += [(page.parent / target.partition("#")[0]).resolve() for _, target in reading.links(page)]
    return [page for page in listed if page not in reached]


def _frame() -> jinja2.Template:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    return made.get_template("frame.html")


def _words(page: Path, groups: list[Group]) -> dict[str, Any]:
    def way(goal: Path) -> str:
        return Path(os.path.relpath(goal, page.parent)).as_posix()

    def entry(name: str, goal: Path) -> dict[str, Any]:
        near = goal.parent == page.parent and goal.name == "index.md" and goal != INDEX
        return {"name": name, "to": way(goal.with_suffix(".html")), "here": goal == page, "near": near}

    sections = [{"text": text, "anchor": anchor} for level, text, anchor in reading.headings(page) if level == 2]
    return {
        "title": reading.title(page).replace("`", ""),
        "version": __version__,
        "language": "fr" if page.parent.name == "fr" else "en",
        "top": "../" * len(page.relative_to(reading.DOCS).parent.parts),
        "home": way(INDEX.with_suffix(".html")),
        "groups": [{"name": group.name, "entries": [entry(*one) for one in group.entries]} for group in groups],
        "sections": sections if len(sections) > 2 else [],
        "body": body(page),
    }


def body(page: Path) -> str:
    """A page's HTML: anchors at headings, links to pages as links to their HTML, code in colours."""
    listed = [token for token in copy.deepcopy(reading.tokens(page)) if token.type != "html_block"]
    anchors = iter(reading.headings(page))
    parts = []
    for token in listed:
        if token.type == "heading_open":
            token.attrSet("id", next(anchors)[2])
        if token.type == "fence":
            parts.append(_coloured(token))
            continue
        for child in token.children or ():
            for key in ("href", "src"):
                if key in child.attrs:
                    child.attrSet(key, _site_link(page, str(child.attrs[key])))
        rendered = RendererHTML().render([token], reading.parser().options, {})
        parts.append(rendered.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>"))
    return "".join(parts)


def _site_link(page: Path, target: str) -> str:
    path, sign, anchor = target.partition("#")
    goal = (page.parent / path).resolve()
    if re.match(r"[a-z]+:", path) or not path:
        return target
    if not goal.is_relative_to(reading.DOCS):
        raise reading.Faulty(
            f"{page.relative_to(reading.ROOT)}: {target} leads out of docs/; the site has no such page"
        )
    return re.sub(r"\.md$", ".html", path) + sign + anchor


def _coloured(token: Token) -> str:
    kind = token.info.strip() or "text"
    lexer = get_lexer_by_name(_LEXERS.get(kind, kind))
    text = pygments.highlight(token.content, lexer, _COLOURS)
    return f'<pre class="{html.escape(kind)}" tabindex="0"><code>{text}</code></pre>\n'


def _extras(target: Path, listed: list[Path]) -> None:
    """Style, search and pictures beside the pages."""
    light = HtmlFormatter(style="friendly").get_style_defs("pre")
    dark = HtmlFormatter(style="github-dark").get_style_defs("pre")
    colours = "\n".join(line for line in light.splitlines() if line.startswith("pre ."))
    night = "\n".join(line for line in dark.splitlines() if line.startswith("pre ."))
    style = (HERE / "style.css").read_text(encoding="utf-8")
    style += f"\n{colours}\n@media (prefers-color-scheme: dark) {{\n{night}\n}}\n"
    (target / "style.css").write_text(style, encoding="utf-8")
    shutil.copyfile(HERE / "search.js", target / "search.js")
    found = [entry for page in listed for entry in _searchable(page)]
    known = json.dumps(found, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    (target / "pages.js").write_text(f"window.PAGES = {known};\n", encoding="utf-8")
    for picture in reading.DOCS.rglob("*.png"):
        shutil.copyfile(picture, target / picture.relative_to(reading.DOCS))


def _searchable(page: Path) -> Iterator[dict[str, str]]:
    """What the search knows of a page: each section with its words."""
    path = page.relative_to(reading.DOCS).with_suffix(".html").as_posix()
    name = reading.title(page).replace("`", "")
    heading, anchor, words = name, "", list[str]()
    anchors = iter(reading.headings(page))
    listed = reading.tokens(page)
    for place, token in enumerate(listed):
        if token.type == "heading_open":
            _, text, found = next(anchors)
            if token.tag == "h2":
                yield {"t": name, "h": heading, "u": f"{path}{anchor}", "x": _said(words)}
                heading, anchor, words = text.replace("`", ""), f"#{found}", []
        elif token.type == "fence" or (token.type == "inline" and listed[place - 1].type != "heading_open"):
            words.append(token.content)
    yield {"t": name, "h": heading, "u": f"{path}{anchor}", "x": _said(words)}


def _said(words: list[str]) -> str:
    return re.sub(r"`|\*\*|\]\([^)]*\)|\[", "", " ".join(" ".join(words).split()))
