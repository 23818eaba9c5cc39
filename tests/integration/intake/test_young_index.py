"""A file changed in the very second in which the index was written, and of the same size, is carried."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any


def test_a_change_as_young_as_the_index_is_not_lost(sandbox: Any, helpers: Any, tmp_path: Path) -> None:
    box = sandbox()
    path, index = box.folder / "a.txt", box.folder / ".git" / "index"
    box.write("a.txt", "one\ntwo\nthree\n")
    box.git("update-index", "--refresh")
    before = path.stat()
    box.write("a.txt", "one\nTWO\nthree\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    os.utime(index, ns=(before.st_atime_ns, before.st_mtime_ns))
    time.sleep(1.1)
    done = helpers.export(box, to=tmp_path / "o")
    assert [one["path"] for one in done.files] == ["a.txt"]
