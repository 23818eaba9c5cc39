"""github-script: what its parts do on the machine's Node, and what is said when the forge's API is asked."""

from __future__ import annotations

import json
import shutil
import textwrap
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from ecluse.model import Result

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not on this machine")


def step(script: str, more: str = "", check: str = "'true'") -> str:
    body = textwrap.indent(textwrap.dedent(script).strip(), "      ")
    return f"- id: s\n  uses: actions/github-script@v7\n  with:\n    {more}\n    script: |\n{body}\n- run: {check}\n"


def test_the_result_is_encoded_and_core_hands_over(play: Any) -> None:
    job = play.job(
        step(
            """
            core.setOutput('list', [1, 'two']);
            core.exportVariable('FROM_SCRIPT', 'a\\nb');
            core.setSecret('hushhushhush');
            core.warning('careful', {file: 'a.py', startLine: 3});
            core.info('said hushhushhush');
            await core.summary.addHeading('Title', 2).addTable([[{data: 'h', header: true}], ['c']]).write();
            return {sum: 1 + 2, who: context.actor, repo: context.repo.repo, event: context.eventName};
            """,
            check="|\n    test '${{ steps.s.outputs.list }}' = '[1,\"two\"]'\n    test \"$FROM_SCRIPT\" = $'a\\nb'\n"
            "    test '${{ fromJSON(steps.s.outputs.result).sum }}' = 3\n"
            "    test '${{ fromJSON(steps.s.outputs.result).repo }}' = repo",
        )
    )
    assert job.result is Result.SUCCESS, play.lines
    note = next(note for note in play.report.annotations if note.level == "warning")
    assert (note.message, note.path, note.line) == ("careful", "a.py", 3)
    assert "said ***" in play.lines


def test_a_string_result_an_empty_one_and_a_wrong_encoding(play: Any) -> None:
    encoded = "result-encoding: string"
    said = play.job(step("return 'plain';", encoded, "test '${{ steps.s.outputs.result }}' = plain"))
    assert said.result is Result.SUCCESS
    empty = play.job(step("await 1;", "", "test -z '${{ steps.s.outputs.result }}'"))
    assert empty.result is Result.SUCCESS
    assert "must be either" in play.job(step("1", "result-encoding: xml")).steps[0].reason


def test_exec_io_glob_and_require(play: Any) -> None:
    play.write("lib/helper.js", "module.exports = ({core}, word) => core.info(`helped ${word}`)\n")
    play.write("lib/data.json", '{"a": 1}')
    job = play.job(
        "- uses: actions/checkout@v4\n"
        + step("""
            require('./lib/helper.js')({core}, require('./lib/data.json').a);
            const got = await exec.getExecOutput('sh', ['-c', 'echo out; echo err >&2; exit 3'], {ignoreReturnCode: true, silent: true});
            const lines = [];
            await exec.exec('printf "a b\\\\n"', [], {listeners: {stdline: (line) => lines.push(line)}});
            await io.mkdirP('x/y'); await io.cp('lib', 'x/y', {recursive: true}); await io.mv('x/y/lib', 'moved');
            const files = await (await glob.create('**/*.js\\n!x')).glob();
            const tool = await io.which('sh', true);
            await io.rmRF('x');
            core.info(JSON.stringify([got, lines, files.map((f) => f.slice(process.cwd().length)), tool.endsWith('/sh'), require('fs').existsSync('x')]));
            core.info((await glob.hashFiles('lib/**')).length);
        """)
    )
    assert job.result is Result.SUCCESS, play.lines
    assert "helped 1" in play.lines and "64" in play.lines
    assert json.loads(next(line for line in play.lines if line.startswith("[{"))) == [
        {"exitCode": 3, "stdout": "out\n", "stderr": "err\n"}, ["a b"], ["/lib/helper.js", "/moved/helper.js"], True, False,
    ]  # fmt: skip


def test_what_fails_fails_the_step(play: Any) -> None:
    for script, words in (
        ("throw new Error('broken')", "Unhandled error: Error: broken"),
        ("core.setFailed('not good')", "not good"),
        ("await exec.exec('sh -c \"exit 4\"')", "failed with exit code 4"),
        ("this is no script", "Unhandled error: SyntaxError"),
    ):
        job = play.job(step(script))
        assert job.steps[0].outcome is Result.FAILURE
        assert any(words in line for line in play.lines), play.lines


@pytest.mark.parametrize(
    "script",
    [
        "await github.rest.issues.createComment({...context.repo, issue_number: 1, body: 'x'})",
        "await github.paginate(github.rest.pulls.listFiles, {...context.repo, pull_number: 1})",
        "await github.graphql('query { viewer { login } }')",
        "await github.request('GET /user')",
    ],
)
def test_the_api_is_not_asked_without_an_address(play: Any, script: str) -> None:
    job = play.job(step(script))
    assert job.steps[0].outcome is Result.FAILURE
    assert any("the forge's API is not asked from here" in line for line in play.lines)


class Api(BaseHTTPRequestHandler):
    """A forge's API with two pages of files; keeps what it was asked."""

    asked: ClassVar[list[tuple[str, str, str]]] = []

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        self.asked.append((self.command, self.path, body))
        is_first = "page=2" not in self.path
        found: Any = [{"filename": "a" if is_first else "b"}]
        if self.path.endswith("/graphql"):
            found = {"data": {"ok": True}}
        elif "/missing" in self.path:
            found = {"message": "Not Found"}
        data = json.dumps(found).encode()
        self.send_response(404 if "/missing" in self.path else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        if "/files" in self.path and is_first:
            self.send_header("link", f'<http://{self.headers["host"]}{self.path}&page=2>; rel="next"')
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


@pytest.fixture
def api() -> Iterator[str]:
    Api.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_api_is_asked_at_the_address_that_was_given(play: Any, api: str) -> None:
    job = play.job(
        step("""
            const list = await github.paginate(github.rest.pulls.listFiles, {...context.repo, pull_number: 7});
            const again = await github.paginate(github.rest.pulls.listFiles.endpoint.merge({...context.repo, pull_number: 7}));
            await github.rest.issues.createComment({...context.repo, issue_number: 1, body: 'hi'});
            const ok = (await github.graphql('query { ok }')).ok;
            let status; try { await github.request('GET /missing/{name}', {name: 'a b'}); } catch (e) { status = e.status; }
            let unknown; try { await github.rest.nothing.here(); } catch (e) { unknown = e.message; }
            core.info([list.map((f) => f.filename).join(), again.length, ok, status, unknown].join(' '));
        """),
        env={"GITHUB_API_URL": api},
    )
    assert job.result is Result.SUCCESS, play.lines
    assert any(line.startswith("a,b 2 true 404 github.rest.nothing.here is not known") for line in play.lines)
    assert ("POST", "/repos/local/repo/issues/1/comments", '{"body":"hi"}') in Api.asked
    assert ("GET", "/missing/a%20b", "") in Api.asked
