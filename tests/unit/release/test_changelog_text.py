"""Keep a Changelog on text: hand-written words stay, commits add what is missing, nothing is there twice."""

from __future__ import annotations

from ecluse.git import Commit
from ecluse.git.nouns import FALLBACK_IDENTITY
from ecluse.release.changelog import release
from ecluse.release.steps import changelog_write

BEFORE = """\
# Changelog

Words of ours.

## [Unreleased]

### Added

- A door, written by hand
  over two lines

### Fixed

- The hinge

## [1.0.0] - 2024-01-02

### Added

- Everything

[Unreleased]: https://example.org/x/compare/v1.0.0...HEAD
[1.0.0]: https://example.org/x/releases/v1.0.0
"""


def commits(*messages: str, parents: int = 1) -> list[Commit]:
    who = FALLBACK_IDENTITY
    return [Commit("a" * 40, "b" * 40, ("c" * 40,) * parents, who, who, "2024-01-01T00:00:00Z", m) for m in messages]


def test_hand_written_entries_move_and_commits_are_added_to_their_groups():
    made = release(BEFORE, "1.1.0", "2024-03-04", commits("feat(ui): add a window", "fix: The hinge.", "chore: dust"))
    assert (
        made.text
        == """\
# Changelog

Words of ours.

## [Unreleased]

## [1.1.0] - 2024-03-04

### Added

- A door, written by hand
  over two lines
- ui: Add a window

### Fixed

- The hinge

## [1.0.0] - 2024-01-02

### Added

- Everything

[Unreleased]: https://example.org/x/compare/v1.1.0...HEAD
[1.1.0]: https://example.org/x/compare/v1.0.0...v1.1.0
[1.0.0]: https://example.org/x/releases/v1.0.0
"""
    )
    assert made.added == ("ui: Add a window",) and made.left_out == ("chore: dust",)


def test_doing_it_again_changes_nothing():
    since = commits("feat: one", "fix!: two")
    once = release(BEFORE, "1.1.0", "2024-03-04", since).text
    assert release(once, "1.1.0", "2024-03-04", since).text == once


def test_a_missing_file_is_begun_with_its_heading():
    made = release(
        "", "0.1.0", "2024-03-04", commits("feat: one", "fix!: two\n\nBREAKING CHANGE: really", "plain words")
    )
    assert made.text.startswith("# Changelog\n") and "## [Unreleased]\n\n## [0.1.0] - 2024-03-04" in made.text
    assert "### Added\n\n- One" in made.text and "### Changed\n\n- **Breaking.** Two" in made.text
    assert made.left_out == ("plain words",)


def test_a_release_without_entries_says_so():
    assert "Maintenance only." in release("", "0.1.1", "2024-03-04", commits("chore: dust")).text


def test_merges_are_not_listed():
    assert release("", "0.1.0", "2024-03-04", commits("Merge change x", parents=2)).left_out == ()


def test_a_file_without_unreleased_keeps_its_versions():
    text = "# Changes\n\n## 1.0.0 - 2020-01-01\n\n- all\n"
    made = release(text, "1.1.0", "2024-03-04", commits("feat: one"))
    assert made.text.index("## [1.1.0]") < made.text.index("## 1.0.0") and "- all" in made.text


def test_what_is_said_names_the_first_and_counts_the_rest() -> None:
    assert changelog_write._some(["a", "b"]) == "a; b"
    assert changelog_write._some([str(n) for n in range(7)]) == "0; 1; 2; 3; 4; and 2 more"


def test_lines_end_as_they_did() -> None:
    made = release(BEFORE.replace("\n", "\r\n"), "1.1.0", "2024-02-03", commits("feat: a window"))
    assert made.text == release(BEFORE, "1.1.0", "2024-02-03", commits("feat: a window")).text.replace("\n", "\r\n")
    assert "\r" not in made.section
