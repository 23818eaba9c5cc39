"""What is read from the pages of the documentation, and what has to hold for all of them without running anything."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from ecluse.cli.group import ecluse
from pages import reading, settings
from pages.typing_along import not_said

NOT_RUN = {
    "README.md": [
        "each sets everything up, and this test is a part of one of them",
        "they are the project's own checks, and this test is a part of them",
    ],
    "docs/verbs/demo.md": ["a test of its own runs the demonstration"] * 2,
}
"""Page -> the reasons it gives for blocks whose commands are not run. This list is meant to stay short."""


def write(folder: Path, text: str) -> Path:
    page = folder / "page.md"
    page.write_text(text)
    return page


def test_blocks_know_what_the_comments_above_them_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "ROOT", tmp_path)
    page = write(
        tmp_path,
        "# A\n\n<!-- setting: ready -->\n\ntext\n\n<!-- in: ../sandbox -->\n<!-- exit: 3 -->\n```sh\na \\\n  b\n# c\ncat <<'X'\n1\nX\nd\n```\n\n```toml\nx = 1\n```\n",
    )
    assert reading.setting(page) == "ready"
    first, second = reading.blocks(page)
    assert first.words == {"in": "../sandbox", "exit": "3"} and second.words == {}
    assert reading.commands(first) == [("a \\\n  b", []), ("cat <<'X'\n1\nX", []), ("d", [])]
    assert str(first) == "page.md:9"


def test_a_console_block_holds_what_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "ROOT", tmp_path)
    (block,) = reading.blocks(write(tmp_path, "```console\n$ a\nsaid …\n$ b\n```\n"))
    assert reading.commands(block) == [("a", ["said …"]), ("b", [])]
    assert not_said(["said …", "end"], "x\nsaid 1 2\ny\nend\n") == []
    assert not_said(["end", "said …"], "said 1 2\nend\n") == ["said …"]
    (faulty,) = reading.blocks(write(tmp_path / ".", "```console\nsaid\n```\n"))
    reading.tokens.cache_clear()
    (faulty,) = reading.blocks(write(tmp_path, "```console\nsaid\n```\n"))
    with pytest.raises(reading.Faulty):
        reading.commands(faulty)


def test_a_comment_with_an_unknown_word_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(reading.Faulty, match="settings"):
        reading.blocks(write(tmp_path, "<!-- settings: ready -->\n```sh\na\n```\n"))


def test_dead_links_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "ROOT", tmp_path)
    page = write(tmp_path, "# One two\n\n[a](#one-two) [b](#three) [c](no.md) [d](https://example.invalid/)\n")
    assert [one.split(": ", 1)[1] for one in reading.dead_links(page)] == [
        "#three: no such heading",
        "no.md: no such file",
    ]


@pytest.mark.parametrize("page", reading.pages(), ids=lambda page: str(page.relative_to(reading.ROOT)))
class TestEveryPage:
    def test_no_link_is_dead(self, page: Path) -> None:
        assert reading.dead_links(page) == []

    def test_its_setting_exists_and_its_blocks_say_what_they_are(self, page: Path) -> None:
        shown = reading.blocks(page)
        assert all(block.kind for block in shown), [str(block) for block in shown if not block.kind]
        assert {block.kind for block in shown} <= {"sh", "console", "text", "toml", "yaml", "json", "markdown"}
        if any(block.kind in reading.COMMANDS and "not run" not in block.words for block in shown):
            assert reading.setting(page) in settings.SETTINGS
        for block in shown:
            if block.kind not in reading.COMMANDS and "not run" not in block.words:
                assert not re.search(r"^(\$ )?(ecluse|git) ", block.text, flags=re.M), f"{block}: commands, and not run"

    def test_what_is_not_run_is_on_the_list(self, page: Path) -> None:
        name = str(page.relative_to(reading.ROOT))
        reasons = [block.words["not run"] for block in reading.blocks(page) if "not run" in block.words]
        assert reasons == NOT_RUN.get(name, [])

    def test_commands_in_running_text_are_words_of_the_tool(self, page: Path) -> None:
        for line, code in reading.inline_code(page):
            if code.startswith("ecluse "):
                assert not unknown_words(code), f"{page.relative_to(reading.ROOT)}:{line}: {code}"


def unknown_words(code: str) -> list[str]:
    """The verb and the options of a command that the tool does not have."""
    words = shlex.split(code.replace("…", "").replace("|", " | "), comments=True)[1:]
    command: click.Command = ecluse
    with click.Context(ecluse) as context:
        while words and isinstance(command, click.Group) and not words[0].startswith("-"):
            found = command.get_command(context, words[0])
            if found is None:
                return [] if words[0].isupper() else [words[0]]
            command, words = found, words[1:]
        known = {name for one in command.get_params(context) for name in (*one.opts, *one.secondary_opts)}
    known |= {"--help", "-h", "--version"}
    return [word for word in words if word.startswith("--") and word.split("=")[0].rstrip("`.,") not in known]


def test_unknown_words_are_found() -> None:
    assert unknown_words("ecluse lnad CHANGE") == ["lnad"]
    assert unknown_words("ecluse land CHANGE --psuh") == ["--psuh"]
    assert unknown_words("ecluse release start --input version=major") == []
