"""A scripted developer: builds what the brief asks for, with a test, and hands over with the exporter of the repository."""

import os
import subprocess
import sys
from pathlib import Path

brief = sys.stdin.read()
assert "say good day to a boat" in brief, brief

app = Path("service/app.py")
text = app.read_text(encoding="utf-8")
front = '        elif address.path == "/":\n'
greet = '        elif address.path == "/hello":\n            self.answer(200, {"said": "good day"})\n'
app.write_text(text.replace(front, greet + front), encoding="utf-8")

tests = Path("tests/test_app.py")
known = "    def test_a_plan(self):\n"
new = '    def test_a_boat_is_greeted(self):\n        self.assertEqual(self.get("/hello"), (200, {"said": "good day"}))\n\n'
tests.write_text(tests.read_text(encoding="utf-8").replace(known, new + known), encoding="utf-8")

subprocess.run(["git", "commit", "-q", "-a", "-m", "feat(app): say good day to a boat"], check=True)
Path("docs").mkdir(exist_ok=True)
Path("docs/hello.md").write_text(
    "`/hello` says good day.\n", encoding="utf-8"
)  # not committed: handed over all the same
words = ["--agent", "developer", "--base", os.environ["ECLUSE_BASE"], "--to", os.environ["ECLUSE_CHANGE"]]
subprocess.run([sys.executable, ".sync/scripts/cloud-export.py", *words], check=True)
print('{"type": "result", "total_cost_usd": 0.40}')
