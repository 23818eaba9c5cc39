"""Templates to pages. Everything that is put into a page is escaped, and what cannot be seen is written out."""

from __future__ import annotations

import functools
from typing import Any

import jinja2
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from ecluse import __version__
from ecluse.web import words


def _finalize(value: Any) -> Any:
    if isinstance(value, str) and not isinstance(value, Markup):
        return words.visible(value)
    return value


@functools.cache
def environment() -> jinja2.Environment:
    """The templates shipped with the package, with the words they use."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("ecluse.web", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        tone=words.tone,
        word=words.word,
        short=words.short,
        size=words.size,
        duration=words.duration,
        rate=words.rate,
        moment=words.moment,
        ago=words.ago,
        uncoloured=words.uncoloured,
    )
    made.globals.update(path_of=words.path_of, subject_path=words.subject_path, many=words.many, version=__version__)
    return made


def page(template: str, *, status: int = 200, refresh_s: int = 0, **context: Any) -> HTMLResponse:
    """Fill ``template``. ``refresh_s`` has the browser fetch the page again after so many seconds."""
    text = environment().get_template(template).render(refresh_s=refresh_s, **context)
    headers = {"Refresh": str(refresh_s)} if refresh_s else None
    return HTMLResponse(text.encode("utf-8", "backslashreplace"), status, headers)
