"""Lines that say the version, and the variables that compose files know images by."""

from __future__ import annotations

import pytest

from ecluse.errors import Invalid
from ecluse.release import versionfiles
from ecluse.release.deploy.compose import variable_of


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            '[project]\nname = "a"\nversion = "1.0"  # ours\n[tool.b]\nversion = "2"\n',
            'version = "1.1.0"  # ours\n[tool.b]\nversion = "2"',
        ),
        ('"""A."""\n__version__: str = "1.0.dev0"\n', '__version__: str = "1.1.0"\n'),
        ('{\n  "name": "a",\n  "version": "1.0.0",\n}\n', '  "version": "1.1.0",\n'),
        ("__version__ = '1'\n", "__version__ = '1.1.0'\n"),
    ],
)
def test_the_first_line_that_says_a_version_gets_the_new_one(text: str, wanted: str) -> None:
    made = versionfiles.with_version(text, "1.1.0", "file")
    assert wanted in made
    assert versionfiles.with_version(made, "1.1.0", "file") == made


def test_a_file_without_such_a_line_is_an_error() -> None:
    with pytest.raises(Invalid, match="has no line such as"):
        versionfiles.with_version('target-version = "py311"\n', "1.1.0", "pyproject.toml")


@pytest.mark.parametrize(
    ("image", "variable"),
    [
        ("registry.example:5000/team/web-app@sha256:0", "WEB_APP_IMAGE"),
        ("api:1.2", "API_IMAGE"),
        ("ghcr.io/o/p/api:1@sha256:0", "API_IMAGE"),
    ],
)
def test_an_image_has_a_variable_of_its_name(image: str, variable: str) -> None:
    assert variable_of(image) == variable
