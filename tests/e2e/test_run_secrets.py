"""No sink shows a secret, in whatever spelling a step prints it; and only reviewed changes get any."""

from __future__ import annotations

import base64
import html
import json
import os
import secrets
import urllib.parse
from pathlib import Path
from typing import Any

import pytest

WORKFLOW = r"""
on: push
jobs:
  a:
    runs-on: ubuntu-latest
    outputs: {leaked: "${{ steps.b.outputs.x }}"}
    steps:
      - id: b
        name: use ${{ secrets.TOKEN }}
        env: {T: "${{ secrets.TOKEN }}", MANY: "${{ secrets.MANY }}"}
        run: |
          set -x
          : "$T"
          set +x
          cat "$SPELLINGS"
          printf '%s' "$T" | base64 -w0; echo
          printf 'user:%s' "$T" | base64 -w0; echo
          printf '%s' "$MANY"; echo
          echo "::warning file=$T,title=$T::about $T"
          echo "::group::$T"
          echo "::endgroup::"
          echo "x=$T" >> "$GITHUB_OUTPUT"
          echo "summary $T" >> "$GITHUB_STEP_SUMMARY"
          mkdir -p out; echo kept > out/f
          printf '<testsuite><testcase name="%s"><failure message="%s"/></testcase></testsuite>' n m > "r.xml"
          sed -i "s/name=.n./name='$PLAIN'/" r.xml
      - uses: actions/upload-artifact@v4
        with: {name: "named-${{ secrets.PLAIN }}", path: out}
      - run: echo "${{ secrets.TOKEN }}" >&2; exit 3
        shell: bash
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "place"
    (folder / ".github" / "workflows").mkdir(parents=True)
    (folder / ".github" / "workflows" / "ci.yml").write_text(WORKFLOW)
    return folder


def test_every_sink(cli: Any, place: Path, tmp_path: Path) -> None:
    token = f"{secrets.token_hex(5)}/+&\"<'{secrets.token_hex(5)}"
    plain = secrets.token_hex(8)
    many = f"{secrets.token_hex(8)}\n{secrets.token_hex(8)}\n"
    spellings = tmp_path / "spellings"
    spellings.write_text(
        "\n".join(
            [
                json.dumps(token), urllib.parse.quote(token, safe=""), html.escape(token), token.encode().hex(),
                base64.b64encode(b"xy" + token.encode()).decode(), token.upper(), token.replace("/", "\\/"),
            ]
        )
    )  # fmt: skip
    env = {"TOKEN": token, "PLAIN": plain, "SPELLINGS": str(spellings)}
    words = ["--secret", "TOKEN", "--secret", "PLAIN", "--secret", f"MANY={many}"]
    words += ["--env", f"SPELLINGS={spellings}", "--env", f"PLAIN={plain}", "--logs", str(tmp_path / "logs")]
    heard = [cli("run", *words, *more, cwd=place, env=env, expect=5) for more in ([], ["-v"], ["--json"], ["--events"])]
    told = "".join(said.out + said.err for said in heard)
    files = [path for folder in (place, tmp_path / "logs", Path(cli.env["HOME"])) for path in folder.rglob("*")]
    told += "".join(str(path.relative_to(tmp_path if tmp_path in path.parents else "/")) for path in files)
    told += "".join(path.read_text("utf-8", "replace") for path in files if path.is_file())
    assert "summary ***" in told and "about ***" in told and "named-***" in told and '"cause"' in told
    halves = [token[:10], token[-10:], token[:10].upper(), token.encode().hex()[6:-6]]
    parts = [plain, *many.split(), *halves, urllib.parse.quote(token, safe="")[4:-4]]
    parts += [base64.b64encode(b" " * shift + token.encode()).decode()[4:-8] for shift in range(3)]
    assert [part for part in parts if part in told] == []


CHECK = """
on: push
jobs:
  a: {runs-on: ubuntu-latest, steps: [{run: 'test "$(printf %s "$V" | sha256sum)" = "$WANTED"', env: {V: "${{ secrets.V }}"}}]}
"""


def test_from_an_encrypted_file(cli: Any, place: Path, seal: Any) -> None:
    import hashlib

    value = secrets.token_hex(12)
    (place / ".github" / "workflows" / "ci.yml").write_text(CHECK)
    path, key = seal(f"V={value}\nOTHER=x-y-z\n")
    wanted = f"WANTED={hashlib.sha256(value.encode()).hexdigest()}  -"
    words = ["--secret-file", str(path), "--env", wanted]
    said = cli("run", *words, "--secret-key", str(key), "-v", cwd=place)
    assert value not in said.err + said.out
    cli("run", *words, "--secret-key", str(key), "--secret", "V=another-value", cwd=place, expect=5)
    key.write_text("wrong")
    refused = cli("run", *words, "--secret-key", str(key), cwd=place, expect=2)
    assert "gpg could not open" in refused.err
    cli("run", "--secret-key", str(key), cwd=place, expect=2)


LINE = """
on: push
jobs:
  a:
    runs-on: ubuntu-latest
    steps: [{run: 'echo "got=[$V]"; echo "${#V}" > "$OUT"', env: {V: "${{ secrets.V }}", OUT: "OUT-FILE"}}]
"""


def test_who_answers_for_a_change() -> None:
    from ecluse.runs import is_answered_for

    yes = ("person Ada (signed)", "key ada (human)", "key root (admin)", "release rel-1")
    no = (
        "key bot (agent)",
        "policy: trust = all",
        "key evil person (agent)",
        "key x (human) (agent)",
        "",
        "a person x",
    )
    assert all(map(is_answered_for, yes)) and not any(map(is_answered_for, no))


@pytest.mark.parametrize(
    ("trusted", "given"),
    [
        ("person Ada (signed)", True),
        ("key bot (agent)", False),
        ("policy: trust = all", False),
    ],
)
def test_only_what_a_person_answers_for_gets_secrets(
    bench: Any, own_home: Path, tmp_path: Path, seal: Any, trusted: str, given: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dataclasses

    from ecluse import line
    from ecluse.clock import instant
    from ecluse.history import History
    from ecluse.history.requests import request_landing
    from ecluse.model import Change, ChangeState, Event, Landing

    value = secrets.token_hex(10)
    path, key = seal(f"V={value}\n")
    monkeypatch.setenv("MY_KEY", str(key))
    out = tmp_path / "out"
    bench.write("secrets.gpg", path.read_bytes())
    bench.write(".github/workflows/ci.yml", LINE.replace("OUT-FILE", str(out)))
    bench.write("ecluse.toml", '[checks]\nsecret_file = "secrets.gpg"\nsecret_key = "env:MY_KEY"\n')
    bench.commit("policy")
    bench.git("checkout", "-q", "-b", "side")
    head = bench.commit("feat: side", b_dot_txt="b")
    bench.git("checkout", "-q", "main")
    moment = instant()
    change = Change(
        "c/1", "c", 1, ChangeState.READY, "side", "agent", "refs/heads/main", "d", "test", moment, moment,
        head=head, base=bench.git("rev-parse", "main"), tree=bench.git("rev-parse", f"{head}^{{tree}}"),
    )  # fmt: skip
    change = dataclasses.replace(change, trusted_by=trusted)
    with History.open(bench.repository.state_dir, create=True) as history:
        history.record(change, Event("change.ready", change.subject, "ready"))
        asked = request_landing(history, change, actor="me")
        line.drive(bench.repository, history, until=lambda: history.get(Landing, asked.id).state.is_terminal)
        done = history.get(Landing, asked.id)
        assert done is not None and done.state.value == "landed", done.reason
    assert out.read_text().strip() == (str(len(value)) if given else "0")
    kept = [path for root in (bench.folder, own_home) for path in root.rglob("*") if path.is_file()]
    assert kept and not any(value.encode() in path.read_bytes() for path in kept)
    assert os.environ["MY_KEY"]
