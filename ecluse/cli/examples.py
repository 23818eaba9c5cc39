"""What people type most: the examples that ``ecluse VERB --help`` and the verb's page in the documentation show."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "init": (
        ("ecluse init", "Prepare the repository you stand in"),
        ("ecluse init --kit ci,hooks --dry-run", "See which workflows and hooks would be written for it"),
        ("ecluse init --print Makefile", "Print one file of the kit"),
    ),
    "doctor": (("ecluse doctor", "Look whether everything is here and well"),),
    "demo": (
        ("ecluse demo", "Watch the whole line at work, in a folder that is removed again"),
        ("ecluse demo --to ../demo", "Keep the repository that it made, to look around"),
    ),
    "export": (
        ("ecluse export --agent agent-1 --to ../change.tar", "Hand over everything done here, as one file"),
        ("ecluse export --text > ../change.txt", "The same for a channel that carries only copy and paste"),
        ("ecluse export --watch --every 30m", "Keep a checkpoint of the work for as long as it goes on"),
    ),
    "import": (
        ("ecluse import ../change.tar --dry-run", "See what would happen, leave no trace"),
        ("ecluse import ../change.tar", "Judge the change and keep it"),
        ("ecluse import ../change.tar --land --no-input", "Judge it, test it and land it, without a question"),
        ("ecluse import CHANGE --undo", "Take the landed change back"),
    ),
    "review": (
        ("ecluse show CHANGE", "Read what waits, and why"),
        ('ecluse review CHANGE --accept --key ../ada --why "I have read it"', "Let it go on, signed with your key"),
    ),
    "validate": (
        ("ecluse validate", "Check everything done here, uncommitted work too"),
        ("ecluse validate HEAD --level minimal", "Check what is committed; standard runs its tests too"),
    ),
    "sync": (
        ("ecluse sync agent-1 --to ../trunk.bundle", "In the repository: write what agent-1 lacks of the trunk"),
        ("ecluse sync --take ../trunk.bundle", "In the sandbox: take it; merge or rebase when you like"),
    ),
    "overlap": (("ecluse overlap", "See which pending changes get in each other's way"),),
    "keys": (
        ("ecluse keys make ada --role human --key ../ada", "Make a key for a person who approves"),
        ("ecluse keys list", "See who is who, and what is not on the trunk yet"),
        ("ecluse keys remove ada", "Take a key off the list"),
    ),
    "run": (
        ("ecluse run", "Run what a push would start"),
        ("ecluse run --dry-run", "See which jobs that would be"),
        ("ecluse run --event pull_request --job test", "Run one job, with what it needs, for another event"),
        ("ecluse run --rerun-failed", "Run again what failed the last time"),
    ),
    "land": (
        ("ecluse land CHANGE --no-wait", "Only ask for the landing; `ecluse serve` carries it out"),
        ("ecluse land CHANGE", "Test the change on top of its target and land it"),
    ),
    "queue": (("ecluse queue", "See what is tested now and what comes next"),),
    "status": (
        ("ecluse status", "See what stands where, and what waits for you"),
        ("ecluse status --json", "The same for a program"),
    ),
    "release": (
        ("ecluse release plan", "See the version, the commits, the steps and the gates; nothing is changed"),
        ("ecluse release start --starter-key ../agent-1 --no-input", "Start it; at its gate it waits for a person"),
        ("ecluse release approve --key ../ada --checked all", "Let it go live"),
        ("ecluse release status", "See what is live, and how the last releases went"),
        ('ecluse release rollback --why "the numbers look wrong"', "Bring back the version before"),
    ),
    "freeze": (
        ('ecluse freeze --until 2h --why "the database moves"', "Keep everything as it is for two hours"),
        ("ecluse freeze", "See what is frozen and locked"),
        ("ecluse freeze --lift", "End what was frozen by word"),
    ),
    "playbook": (
        ("ecluse playbook list", "See the playbooks on the trunk"),
        ("ecluse playbook add incident", "Write one that comes with Écluse into this repository"),
        ("ecluse playbook lint playbooks/incident.md", "Check a page before it lands"),
    ),
    "history": (
        ("ecluse history list --brief", "See what happened, newest last"),
        ("ecluse history list --syncs --status failed", "See the hand-overs that failed, and why"),
        ("ecluse history search landed", "Find events by words"),
        ("ecluse history find docs/usage.md", "Find the changes that touch a path, or by bundle or id"),
        ("ecluse history stats --days 30", "Count, by agent, day, verdict and checks"),
        ("ecluse history export --format csv --to ../history.csv", "Take it all along"),
    ),
    "show": (("ecluse show CHANGE", "Everything about one change: verdict, findings, checks, events"),),
    "serve": (("ecluse serve", "Show the dashboard on http://127.0.0.1:8470 and drive the line"),),
    "help": (
        ("ecluse help land", "Explain a verb"),
        ("ecluse help exit-codes", "What the exit statuses mean"),
    ),
}
"""Verb -> what to type and what that does, in an order in which they can be typed one after the other.

``CHANGE`` stands for the id of a change, or the beginning of it.
"""


def as_epilog(verb: str) -> str:
    """The examples of a verb as the last paragraph of its help, which click leaves as it is (``\\b``)."""
    lines = [f"  # {what}\n  {command}" for command, what in EXAMPLES.get(verb, ())]
    return "\b\nExamples:\n" + "\n".join(lines) if lines else ""
