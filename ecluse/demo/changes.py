"""What the demo's agents do to the template: a good change, one that breaks a test, one that leaks, one that is ill.

Each function looks at the files of a checkout and returns the work as data; who commits it is the demo's business.
The edits touch different lines, so that each of them merges cleanly with what landed before it.
"""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass, field
from pathlib import Path

from ecluse.errors import Failed
from ecluse.files import storage_problem


@dataclass(frozen=True, slots=True)
class Step:
    """One commit to make: its message (conventional commits) and the whole new text of each file, by path."""

    message: str
    files: dict[str, str]


@dataclass(frozen=True, slots=True)
class Work:
    """What one agent leaves behind: commits in order, files it never committed, and its own words on it."""

    note: str
    commits: tuple[Step, ...]
    untracked: dict[str, str] = field(default_factory=dict)


def write_files(folder: Path, files: dict[str, str]) -> None:
    """Write the files of a :class:`Step` (or the untracked ones) below ``folder``."""
    for path, text in files.items():
        target = folder / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text.encode("utf-8"))
        except OSError as error:
            raise storage_problem(error, target) from error


def good_change(folder: Path) -> Work:
    """A feature with its test, a fix with its test, and a page that was never committed."""
    locks = _edit(folder, "service/locks.py", ("", _SEVERAL_BOATS))
    tests = _edit(folder, "tests/test_locks.py", ("", _SEVERAL_BOATS_TEST))
    with_boats = _edit(folder, "service/app.py", (_MINUTES, _MINUTES_OF_BOATS), (_LEVELS, _LEVELS_AND_BOATS))
    finite = _replace(with_boats, "service/app.py", (_IMPORT_JSON, _IMPORT_MATH), (_PARSE_BOATS, _PARSE_FINITE))
    over_http = _edit(folder, "tests/test_app.py", (_UNKNOWN_PAGE_TEST, _FINITE_TEST + _UNKNOWN_PAGE_TEST))
    return Work(
        note="/locks now takes boats=N. Found on the way: a level like inf closed the connection without an answer.",
        commits=(
            Step(
                "feat(locks): tell how long several boats take\n\n"
                "Boats follow each other: the first chamber empties again while the next boat waits.",
                {"service/locks.py": locks, "service/app.py": with_boats, "tests/test_locks.py": tests},
            ),
            Step(
                "fix(app): answer 400 for levels that are not finite",
                {"service/app.py": finite, "tests/test_app.py": over_http},
            ),
        ),
        untracked={"docs/boats.md": _BOATS_PAGE},
    )


def breaking_change(folder: Path) -> Work:
    """A tidy-looking edit that makes a chamber rise above its walls; exactly one test of the template sees it."""
    edited = _edit(folder, "service/locks.py", (_COUNT_UP, _COUNT_ROUNDED))
    message = "perf(locks): plan one chamber less where the rest is small"
    return Work(
        note="A rise of 6 m needed three chambers for the sake of one metre; it needs two now.",
        commits=(Step(message, {"service/locks.py": edited}),),
    )


def leaking_change(folder: Path) -> Work:
    """Settings with the keys of a storage account in them, made up at run time: they open nothing."""
    key_id = "AK" + "IA" + "".join(secrets.choice(string.ascii_uppercase + "234567") for _ in range(16))
    key = "".join(secrets.choice(string.ascii_letters + string.digits + "+/") for _ in range(40))
    settings = f"[archive]\nbucket = locks-plans\nregion = eu-west-3\naws_access_key_id = {key_id}\naws_secret_access_key = {key}\n"
    readme = _edit(
        folder, "README.md", ("", "\nPlans are archived nightly; the bucket is named in `config/archive.ini`.\n")
    )
    return Work(
        note="Plans go to the archive bucket; the settings are in config/archive.ini.",
        commits=(
            Step("feat(archive): settings of the plan archive", {"config/archive.ini": settings, "README.md": readme}),
        ),
    )


def unhealthy_change(folder: Path) -> Work:
    """A feature whose tests pass, and whose service is ill wherever nobody made the folder that the tests make."""
    app = _edit(
        folder,
        "service/app.py",
        (_IMPORT_LOCKS, _IMPORT_JOURNAL),
        (_HEALTHY, _HEALTHY_WITH_JOURNAL),
        (_NOTHING_HERE, _JOURNAL_PAGE + _NOTHING_HERE),
    )
    tests = _edit(
        folder,
        "tests/test_app.py",
        (_TEST_IMPORT, _TEST_IMPORT_JOURNAL),
        (_SET_UP, _SET_UP_JOURNAL),
        (_PLAN_TEST, _JOURNAL_TEST + _PLAN_TEST),
    )
    message = (
        "feat(app): keep a journal of who passed\n\n"
        "/pass?boat=NAME writes a line into the journal; /health says so when the journal cannot be written."
    )
    return Work(
        note="The journal lies in var/journal, one file a day.",
        commits=(
            Step(message, {"service/app.py": app, "service/journal.py": _JOURNAL_MODULE, "tests/test_app.py": tests}),
        ),
    )


def _edit(folder: Path, path: str, *edits: tuple[str, str]) -> str:
    """The text of ``path`` with each (old, new) replaced once; an empty ``old`` appends."""
    try:
        text = (folder / path).read_bytes().decode("utf-8")
    except OSError as error:
        raise storage_problem(error, folder / path) from error
    return _replace(text, path, *edits)


def _replace(text: str, path: str, *edits: tuple[str, str]) -> str:
    for old, new in edits:
        if old and text.count(old) != 1:
            raise Failed(
                "demo.template_edited",
                f"{path} is not as the template has it: the line {old.strip().splitlines()[0]!r} was looked for.",
                "ecluse demo, which starts from a fresh template",
            )
        text = text.replace(old, new) if old else text + new
    return text


_SEVERAL_BOATS = '''

def duration_of_boats(chambers: List[Chamber], boats: int) -> float:
    """How long ``boats`` boats need, one behind the other, in minutes.

    The next boat starts when the first chamber is back at its level: twice that chamber's own time.
    """
    if not chambers or boats < 1:
        return 0.0
    return round(duration(chambers) + (boats - 1) * 2 * duration(chambers[:1]), 1)
'''

_SEVERAL_BOATS_TEST = """

class BoatsTest(unittest.TestCase):
    def test_one_boat_takes_the_time_of_the_plan(self):
        self.assertEqual(locks.duration_of_boats(locks.plan(0, 10), 1), 20)

    def test_the_next_boat_waits_for_the_first_chamber(self):
        self.assertEqual(locks.duration_of_boats(locks.plan(0, 10), 3), 40)

    def test_no_boat_takes_no_time(self):
        self.assertEqual(locks.duration_of_boats(locks.plan(0, 10), 0), 0)
"""

_MINUTES = 'self.answer(200, {"chambers": chambers, "minutes": locks.duration(chambers)})'
_MINUTES_OF_BOATS = 'self.answer(200, {"chambers": chambers, "minutes": locks.duration_of_boats(chambers, boats)})'

_LEVELS = 'start, end = (float(query[name][0]) for name in ("from", "to"))\n'
_PARSE_BOATS = 'boats = int(query.get("boats", ["1"])[0])\n'
_LEVELS_AND_BOATS = _LEVELS + "            " + _PARSE_BOATS
_PARSE_FINITE = (
    _PARSE_BOATS
    + """            if not (math.isfinite(start) and math.isfinite(end)):
                raise ValueError("a level is a finite number")
"""
)

_IMPORT_JSON = "import json\nimport signal\n"
_IMPORT_MATH = "import json\nimport math\nimport signal\n"

_UNKNOWN_PAGE_TEST = "    def test_the_front_page_and_an_unknown_one(self):\n"
_FINITE_TEST = """    def test_an_endless_level_is_refused(self):
        self.assertEqual(self.get("/locks?from=3&to=inf")[0], 400)
        self.assertEqual(self.get("/locks?from=nan&to=7")[0], 400)

"""

_BOATS_PAGE = """# Several boats

`/locks?from=0&to=10&boats=3` counts the minutes until the third boat is up. A boat starts when the first chamber is
back at its level, so the chambers after the first one add nothing to the waiting.
"""

_COUNT_UP = "    count = math.ceil(height / RISE)\n"
_COUNT_ROUNDED = "    count = max(1, round(height / RISE))\n"

_IMPORT_LOCKS = "from service import locks\n"
_IMPORT_JOURNAL = "from service import journal, locks\n"

_HEALTHY = '        self.answer(200, {"status": "ok", "version": self.version})\n'
_HEALTHY_WITH_JOURNAL = """        if journal.is_writable():
            self.answer(200, {"status": "ok", "version": self.version})
        else:
            error = "the journal folder {} cannot be written".format(journal.FOLDER)
            self.answer(503, {"status": "failing", "version": self.version, "error": error})
"""

_NOTHING_HERE = """        else:
            self.answer(404,"""
_JOURNAL_PAGE = """        elif address.path == "/pass":
            journal.write(parse_qs(address.query).get("boat", ["unnamed"])[0])
            self.answer(200, {"written": True})
"""

_JOURNAL_MODULE = '''"""Who passed the locks, and when: one file a day in the folder var/journal."""

import os
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "var" / "journal"


def is_writable():
    """Whether a line could be written now."""
    return os.access(str(FOLDER), os.W_OK)


def write(boat):
    """Add a line for ``boat``."""
    now = time.gmtime()
    with (FOLDER / time.strftime("%Y-%m-%d.log", now)).open("a", encoding="utf-8") as handle:
        handle.write("{} {}\\n".format(time.strftime("%H:%M:%S", now), " ".join(boat.split())))
'''

_TEST_IMPORT = "from service import app\n"
_TEST_IMPORT_JOURNAL = "from service import app, journal\n"

_SET_UP = "    def setUp(self):\n"
_SET_UP_JOURNAL = """    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(setattr, journal, "FOLDER", journal.FOLDER)
        journal.FOLDER = Path(folder.name)
"""

_PLAN_TEST = "    def test_a_plan(self):\n"
_JOURNAL_TEST = """    def test_a_boat_is_written_into_the_journal(self):
        self.assertEqual(self.get("/pass?boat=Marie")[0], 200)
        pages = list(journal.FOLDER.iterdir())
        self.assertEqual(len(pages), 1)
        self.assertTrue(pages[0].read_text(encoding="utf-8").endswith(" Marie\\n"))

"""
