"""Écluse: carries a code change from a coding agent's sandbox to a running release.

The package is one house with floors; ``docs/architecture.md`` has the table, ``tests/test_floors.py`` holds it.
Importing this module loads nothing else, so that every command starts fast.
"""

__version__ = "0.1.0.dev0"
