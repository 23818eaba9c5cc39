"""Images and compose with a real container engine: built, pushed to a registry, pinned by digest, up, and back again.

Runs where docker answers, with its compose plugin or docker-compose; the registry of the push has to be a program here
(Debian: docker-registry). Containers use the host's network, so that no bridge is needed. Nothing is downloaded: the base
image is this machine's own Python.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ecluse import http
from ecluse.errors import Failed
from ecluse.model import ReleaseState
from ecluse.release import environments

REGISTRY = """\
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {folder}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """A real registry on loopback."""
    program = shutil.which("docker-registry") or shutil.which("registry")
    if program is None:
        pytest.skip("no registry to push to is on this machine (Debian: apt-get install docker-registry)")
    port = http.free_port()
    settings = tmp_path / "registry.yml"
    settings.write_text(REGISTRY.format(folder=tmp_path / "registry", port=port))
    running = subprocess.Popen([program, "serve", str(settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while True:
        with contextlib.suppress(Failed):
            http.request(f"http://127.0.0.1:{port}/v2/")
            break
        assert running.poll() is None and time.monotonic() < deadline, "the registry did not start"
        time.sleep(0.05)
    yield f"127.0.0.1:{port}"
    running.terminate()
    running.wait(timeout=30)


@pytest.fixture
def shipped(yard: Any, engine: list[str], base_image: str, registry: str, tmp_path: Path) -> Iterator[Any]:
    """A yard whose production is a container of an image that every release builds."""
    image = f"name={registry}/app:{{version}}"
    page = yard.short_page("deploy.compose", "semver.decide", f"image.build {image}", f"image.push {image}")
    root = tmp_path / f"ecluse-test-{os.getpid()}"
    policy = f"""
solo = true
play = true
[environments.production]
method = "compose"
path = "{root}"
hosts = ["."]
engine = {json.dumps(engine)}
url = "http://127.0.0.1:{yard.port}"
health_timeout_s = 60.0
production = true
"""
    program = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    command = json.dumps([str(program), "/app/service.py", str(yard.port)])
    compose = (
        'services:\n  app:\n    image: "${ECLUSE_IMAGE}"\n    network_mode: host\n    stop_grace_period: 0s\n'
        f"    environment: [ECLUSE_VERSION]\n    volumes: ['./RELEASE:/app/RELEASE:ro']\n    command: {command}\n"
    )
    yard.commit(
        "feat: an image",
        ecluse_dot_toml=policy,
        playbooks__release_dot_md=page,
        Dockerfile=f"FROM {base_image}\nCOPY service.py /app/service.py\n",
        compose_dot_yml=compose,
    )
    yard.patience_s = 300.0  # images are large, and engines slow on a busy machine
    yard.compose = [*(engine if engine == ["docker-compose"] else [*engine, "compose"]), "-p", root.name]
    yield yard
    listed = subprocess.run(
        ["docker", "ps", "-aq", "--filter", f"label=com.docker.compose.project={root.name}"],
        capture_output=True,
        check=False,
    )
    for container in listed.stdout.decode().split():
        subprocess.run(["docker", "rm", "-f", container], capture_output=True, check=False)
    names = subprocess.run(["docker", "images", "-q", f"{registry}/app"], capture_output=True, check=False).stdout
    for image in set(names.decode().split()):
        subprocess.run(["docker", "image", "rm", "-f", image], capture_output=True, check=False)


def running(yard: Any) -> list[str]:
    """The images that the containers of the project run."""
    words = ["docker", "ps", "--no-trunc", "--filter", f"label=com.docker.compose.project={yard.compose[-1]}"]
    done = subprocess.run([*words, "--format", "{{.Image}}"], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_an_image_is_built_pushed_pinned_by_digest_and_goes_back(shipped: Any, registry: str) -> None:
    first = shipped.release()
    assert first.state is ReleaseState.DONE, first.reason
    built, pushed = (first.outputs["steps"][at]["result"] for at in ("1", "2"))
    assert pushed["image"].startswith(f"{registry}/app@sha256:") and built["id"].startswith("sha256:")
    there = http.request(f"http://{registry}/v2/app/tags/list")
    assert json.loads(there.body)["tags"] == ["0.1.0"]
    assert running(shipped) == [pushed["image"]], "what runs is what was pushed, by its digest"
    assert shipped.ask()[1]["version"] == "0.1.0"
    assert environments.look(shipped.repository, shipped.history, "production").as_recorded
    ill = (shipped.folder / "service.py").read_text().replace("FLAG = 200", "FLAG = 503")
    policy = (shipped.folder / "ecluse.toml").read_text().replace("health_timeout_s = 60.0", "health_timeout_s = 8.0")
    shipped.commit("fix: ill", service_dot_py=ill, ecluse_dot_toml=policy)
    second = shipped.release()
    assert second.state is ReleaseState.ROLLED_BACK and "answered 503" in second.reason, second.reason
    assert running(shipped) == [pushed["image"]] and shipped.ask()[1]["version"] == "0.1.0"


def test_a_build_that_fails_says_what_the_engine_said(shipped: Any) -> None:
    shipped.commit("fix: broken", Dockerfile="FROM scratch\nCOPY not-there /x\n")
    over = shipped.drive(shipped.start())
    assert over.state is ReleaseState.FAILED and "not-there" in over.reason, over.reason
