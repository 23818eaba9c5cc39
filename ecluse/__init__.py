"""Écluse: carries a code change from a coding agent's sandbox to a running release.

The package is one house with floors; ``docs/architecture.md`` has the table, ``tests/test_floors.py`` holds it.
Importing this module loads nothing else, so that every command starts fast; ``ecluse.update_ci_status`` is loaded
when it is first used.
"""

__version__ = "0.1.0.dev0"

TYPE_CHECKING = False  # as in typing, which would cost an import here
if TYPE_CHECKING:
    from ecluse.checks.report import update_ci_status as update_ci_status


def __getattr__(name: str) -> object:
    if name == "update_ci_status":
        from ecluse.checks.report import update_ci_status

        return update_ci_status
    raise AttributeError(f"module 'ecluse' has no attribute {name!r}")
