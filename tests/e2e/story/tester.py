"""A scripted tester: reads what was built, and adds the test that was missing. Leaves the handing over to Écluse."""

import os
import sys
from pathlib import Path

brief = sys.stdin.read()
assert "You did not write it" in brief, brief
assert "/hello" in Path("service/app.py").read_text(encoding="utf-8"), "the story is not there"

missing = (
    '    def test_nobody_greets_{name}(self):\n        self.assertEqual(self.get("/hello/{name}")[0], {status})\n\n'
)
tests = Path("tests/test_app.py")
known = "    def test_a_plan(self):\n"
status = os.environ.get("STORY_EXPECTS", "404")
new = missing.format(name="nobody", status=status)
tests.write_text(tests.read_text(encoding="utf-8").replace(known, new + known), encoding="utf-8")
