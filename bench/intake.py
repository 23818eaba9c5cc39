"""Export and import against git's own commands, 500 linear commits on a tree of 10,000 files, validation off.

Every figure is the wall time of a whole process as a person would type it, our interpreter's start included; the peer
of several commands is the sum of what each took in the same round. What a round needs fresh (a clone that has never
seen the bundle) is made before the clock starts.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
from pathlib import Path

from bench.history_made import COMMITS, add_commits, git, make_repository
from bench.measure import Task, head, interleave, report, together
from ecluse.intake.bundlefile import read_header

EXPORT_FACTOR, IMPORT_FACTOR, MAIL_FACTOR = 1.5, 2.0, 4.0
MAIL_ROUNDS = 2


def measure_intake(folder: Path, ecluse: str, rounds: int) -> bool:
    """Print the table of intake; whether every bar is met."""
    place = Place(folder, ecluse)
    exporting, export_peers = [place.export()], place.export_peers()
    importing, import_peers = [place.import_()], place.import_peers()
    interleave([*exporting, *export_peers, *importing, *import_peers], rounds)
    mails = place.mails()
    interleave(mails, MAIL_ROUNDS)
    head(f"intake: {COMMITS} commits on 10,000 files, validation off, {rounds} interleaved rounds, milliseconds")
    for task in (*export_peers, *import_peers):
        report(f"  {task.label}", task.taken)
    of_export, of_import = statistics.median(together(export_peers)), statistics.median(together(import_peers))
    of_mail = statistics.median(together(mails))
    report("their sum for export", together(export_peers))
    met = [report("ecluse export", exporting[0].taken, EXPORT_FACTOR * of_export, said=f", {EXPORT_FACTOR} x the sum")]
    report("their sum for import", together(import_peers))
    met += [report("ecluse import", importing[0].taken, IMPORT_FACTOR * of_import, said=f", {IMPORT_FACTOR} x the sum")]
    report(f"git format-patch + git am ({MAIL_ROUNDS} rounds)", together(mails))
    both = together([*exporting, *importing])
    met += [report("ecluse export + ecluse import", both, of_mail / MAIL_FACTOR, said=f", 1/{MAIL_FACTOR:.0f} of it")]
    return all(met)


class Place:
    """A trunk, a sandbox cloned from it with the commits, and a bundle of them."""

    def __init__(self, folder: Path, ecluse: str) -> None:
        self.folder, self.ecluse = folder, ecluse
        self.trunk, self.sandbox = folder / "trunk", folder / "sandbox"
        self.receiver, self.peer = folder / "receiver", folder / "peer"
        make_repository(self.trunk)
        subprocess.run([ecluse, "init", "-q", "--trust", "all"], cwd=self.trunk, check=True, stdout=subprocess.DEVNULL)
        with (self.trunk / "ecluse.toml").open("a") as policy:
            policy.write('\n[intake]\nvalidation = "none"\n')
        git(self.trunk, "add", "-A")
        git(self.trunk, "commit", "-q", "-m", "chore: policy")
        git(self.trunk, "gc", "-q")
        git(folder, "clone", "-q", f"file://{self.trunk}", str(self.sandbox))
        git(self.sandbox, "remote", "remove", "origin")
        git(self.sandbox, "config", "user.name", "Bench")
        git(self.sandbox, "config", "user.email", "bench@example.invalid")
        self.base = git(self.sandbox, "rev-parse", "HEAD")
        add_commits(self.sandbox)
        self.bundle = folder / "peer.bundle"
        git(self.sandbox, "bundle", "create", "-q", str(self.bundle), f"{self.base}..main")
        self.pack = folder / "peer.pack"
        self.pack.write_bytes(self.bundle.read_bytes()[read_header(self.bundle).pack_at :])
        self.ours = folder / "ours"
        subprocess.run([ecluse, "export", "-q", "--agent", "bench", "--validate", "none", "--to", str(self.ours)],
                       cwd=self.sandbox, check=True, stdout=subprocess.DEVNULL)  # fmt: skip
        assert git(self.sandbox, "rev-list", "--count", f"{self.base}..main") == str(COMMITS)

    def export(self) -> Task:
        to = self.folder / "out"
        words = [self.ecluse, "export", "--agent", "bench", "--validate", "none", "--to", str(to)]
        return Task("ecluse export", words, self.sandbox, before=lambda: shutil.rmtree(to, ignore_errors=True))

    def export_peers(self) -> list[Task]:
        out = self.folder / "peer-out.bundle"
        rows = [
            ("git bundle create", ["bundle", "create", "-q", str(out), f"{self.base}..main"]),
            ("git diff --binary", ["diff", "--binary", self.base, "main"]),
            ("git status", ["status"]),
            ("git log -p (sandbox)", ["log", "-p", f"{self.base}..main"]),
        ]
        return [Task(label, ["git", *words], self.sandbox) for label, words in rows]

    def import_(self) -> Task:
        manifest = next(self.ours.glob("*.json"))
        words = [self.ecluse, "import", str(manifest), "--no-input"]  # with --yes it would go on to land
        return Task("ecluse import", words, self.receiver, before=self._fresh_receiver, after=self._check_received)

    def _fresh_receiver(self) -> None:
        shutil.rmtree(self.receiver, ignore_errors=True)
        subprocess.run(["cp", "-a", str(self.trunk), str(self.receiver)], check=True)

    def _check_received(self) -> None:
        said = subprocess.run(
            [self.ecluse, "history", "list", "--json"], cwd=self.receiver, check=True, capture_output=True
        )
        assert any(one["kind"] == "change.ready" for one in json.loads(said.stdout)["events"]), said.stdout

    def import_peers(self) -> list[Task]:
        fetch = ["git", "fetch", "-q", str(self.bundle), "main:refs/heads/incoming"]
        index = ["git", "index-pack", "--strict", "--stdin", "--fix-thin"]
        return [
            Task("git index-pack --strict", index, self.peer, before=self._fresh_peer, stdin=self.pack),
            Task("git fetch BUNDLE", fetch, self.peer, before=self._fresh_peer),
            Task("git log -p (receiver)", ["git", "log", "-p", f"{self.base}..incoming"], self.peer),
        ]

    def _fresh_peer(self) -> None:
        shutil.rmtree(self.peer, ignore_errors=True)
        subprocess.run(["cp", "-a", str(self.trunk), str(self.peer)], check=True)

    def mails(self) -> list[Task]:
        box, out = self.folder / "am", self.folder / "mails"
        git(self.folder, "clone", "-q", f"file://{self.trunk}", str(box))
        git(box, "config", "user.name", "Bench")
        git(box, "config", "user.email", "bench@example.invalid")
        write = ["git", "format-patch", "-q", "-o", str(out), f"{self.base}..main"]
        apply = ["sh", "-c", f"cat {out}/*.patch | git am -q"]
        back = lambda: git(box, "reset", "-q", "--hard", self.base)  # noqa: E731
        return [
            Task("git format-patch", write, self.sandbox, before=lambda: shutil.rmtree(out, ignore_errors=True)),
            Task("git am", apply, box, before=back),
        ]
