"""The generated compose files against a real container engine: valid, up, well, and away again.

Skipped where docker does not answer. Images are made of this machine's own Python, and nothing is downloaded.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ecluse import http
from ecluse.errors import Failed
from ecluse.kit import kits, survey

SERVICE = """\
import json, os
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        data = json.dumps({"service": os.environ["NAME"], "uid": os.getuid()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

HTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
"""
POLICY = '[kit.projects.NAME]\nstart = ["python", "-m", "NAME"]\nport = 8000\n'
NAMES = ("api", "web-app")
Compose = Callable[..., str]


def dockerfile(base: str, name: str) -> str:
    """One of somebody's own: `api` has the stage that the kit's has, `web-app` has not."""
    program = str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())
    ask = "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/', timeout=2)"
    stage = " AS production" if name == "api" else ""
    lines = [f"FROM {base}{stage}", "COPY main.py /main.py", f"ENV NAME={name}", "USER 10001"]
    lines += [f"HEALTHCHECK --interval=1s CMD {json.dumps([program, '-c', ask])}"]
    return "\n".join([*lines, f"CMD {json.dumps([program, '-u', '/main.py'])}"]) + "\n"


@pytest.fixture
def shop(bench: Any, base_image: str) -> Path:
    """A repository of two services with the kit's compose files, on ports that are free here."""
    for name in NAMES:
        bench.write(f"{name}/requirements.txt", "")
        bench.write(f"{name}/main.py", SERVICE)
        bench.write(f"{name}/Dockerfile", dockerfile(base_image, name))
    bench.write("ecluse.toml", "".join(POLICY.replace("NAME", name) for name in NAMES))
    bench.commit("feat: two services")
    for piece in kits.plan(bench.folder, survey.look(bench.folder), ("staging",)):
        if piece.data is not None:
            bench.write(piece.path, piece.data)
    for path in bench.folder.glob("*compose*.yml"):
        text, count = re.subn(r'"127\.0\.0\.1:\d+:', lambda _: f'"127.0.0.1:{http.free_port()}:', path.read_text())
        assert count == len(NAMES)
        path.write_text(text)
    folder: Path = bench.folder
    return folder


@pytest.fixture
def compose(shop: Path, engine: list[str]) -> Iterator[Compose]:
    """``compose(FILE, WORDS...)`` in a project of its own; what it brought up is down afterwards."""
    words = engine if engine == ["docker-compose"] else [*engine, "compose"]
    project = f"ecluse-test-{os.getpid()}"
    images = {docker_name(name): f"{project}-{name}" for name in NAMES}

    def run(file: str, *more: str, check: bool = True, **env: str) -> str:
        argv = [*words, "-p", project, "-f", file, *more]
        done = subprocess.run(
            argv, cwd=shop, env={**os.environ, **env}, capture_output=True, text=True, check=False, timeout=300
        )
        assert not check or done.returncode == 0, done.stderr
        return f"{done.stdout}\n{done.stderr}"

    yield run
    run("compose.prod.yml", "down", "-t", "0", "--remove-orphans", check=False, **images)
    for name in (*images.values(), *(f"{project}_{name}" for name in NAMES)):
        subprocess.run(["docker", "image", "rm", "-f", name], capture_output=True, check=False)


def docker_name(name: str) -> str:
    return f"{name.upper().replace('-', '_')}_IMAGE"


def answers(shop: Path, file: str) -> list[dict[str, Any]]:
    """What each service of a compose file says, once it says something."""
    found = []
    for port in re.findall(r'"127\.0\.0\.1:(\d+):', (shop / file).read_text()):
        deadline = time.monotonic() + 60
        while True:
            try:
                found.append(json.loads(http.request(f"http://127.0.0.1:{port}/").body))
                break
            except Failed:
                assert time.monotonic() < deadline, f"{file}: nobody answers on {port}"
                time.sleep(0.1)
    return found


def containers(compose: Compose, file: str, **env: str) -> list[dict[str, Any]]:
    """The containers of a compose file, once none of them is still to become well."""
    deadline = time.monotonic() + 60
    while True:
        ids = [line for line in compose(file, "ps", "-q", **env).split() if re.fullmatch("[0-9a-f]{12,}", line)]
        done = subprocess.run(["docker", "inspect", *ids], capture_output=True, text=True, check=True)
        found: list[dict[str, Any]] = json.loads(done.stdout)
        if not any(one["State"]["Health"]["Status"] == "starting" for one in found):
            return found
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_two_services_by_hand_in_staging_and_in_production(shop: Path, compose: Compose) -> None:
    compose("compose.yml", "up", "--build", "-d")
    assert [(one["service"], one["uid"]) for one in answers(shop, "compose.yml")] == [
        ("api", 10001),
        ("web-app", 10001),
    ]
    local = containers(compose, "compose.yml")
    assert [one["State"]["Health"]["Status"] for one in local] == ["healthy"] * 2
    names = [dict(line.split("=", 1) for line in one["Config"]["Env"])["NAME"] for one in local]
    images = {docker_name(name): one["Image"] for name, one in zip(names, local, strict=True)}
    compose("compose.yml", "down", "-t", "0")
    for file in ("docker-compose.staging.yml", "compose.prod.yml"):
        missing = compose(file, "config", check=False)
        assert "the image by digest" in missing, "nothing starts without the image that was tested"
        compose(file, "up", "-d", **images)
        assert [one["service"] for one in answers(shop, file)] == list(NAMES)
        for one in containers(compose, file, **images):
            assert one["State"]["Health"]["Status"] == "healthy" and one["HostConfig"]["ReadonlyRootfs"]
            assert one["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
            assert one["Image"] in images.values()
        compose(file, "down", "-t", "0", **images)


def test_what_a_deployment_types_is_what_compose_takes(shop: Path, compose: Compose) -> None:
    """The options of the deploying workflows and of the Makefile, of a compose that has them."""
    known = compose("compose.yml", "up", "--help")
    said = (shop / ".github/workflows/deploy-prod.yml").read_text()
    assert "--project-name" in said and "--file compose.prod.yml" in said
    if "--wait-timeout" not in known:
        pytest.skip("this compose is older than the one of GitHub's machines: it knows no --wait-timeout")
    for word in re.findall(r"docker compose (.*)", said)[-1].split():
        assert not word.startswith("--") or word in ("--project-name", "--file") or word in known
