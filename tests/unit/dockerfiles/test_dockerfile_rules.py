"""What is said of Dockerfiles, rule by rule, and beside hadolint itself where that is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from ecluse.dockerfiles import Level, is_dockerfile, lint

GOOD = 'FROM python:3.12-slim\nCOPY requirements.txt ./\nRUN pip install --no-cache-dir -r requirements.txt\nCOPY . .\nUSER 10001\nCMD ["a"]\n'
HEAD = "FROM debian:12\nUSER 10001\n"
SAMPLES: dict[str, tuple[str, set[tuple[int, str]]]] = {
    "good": (GOOD, set()),
    "user": ('FROM a:1\nUSER app\nUSER root\nCMD ["a"]\n', {(3, "DL3002")}),
    "user of a stage below": ('FROM a:1 AS base\nUSER 0\nFROM base\nCMD ["a"]\n', {(2, "DL3002")}),
    "tags": (
        "FROM ubuntu\nFROM ubuntu:latest AS a\nFROM a AS a\nFROM scratch\nFROM x@sha256:0\nFROM $Y\nUSER 1\n",
        {(1, "DL3006"), (2, "DL3007"), (3, "DL3024")},
    ),
    "apt": (
        HEAD + "RUN apt-get update \\\n # a remark\n && apt-get install -y curl=7.* git\nRUN apt install x\n",
        {(3, "DL3008"), (3, "DL3009"), (3, "DL3015"), (6, "DL3027")},
    ),
    "apt asks": (
        HEAD + "RUN apt-get update && apt-get install --no-install-recommends a=1 && rm -rf /var/lib/apt/lists/*\n",
        {(3, "DL3014")},
    ),
    "pip": (
        HEAD
        + "RUN pip install flask\nRUN pip install --no-cache-dir 'a>=1' b==2 .\nRUN pip install --no-cache-dir a>=1\n"
        "RUN --mount=type=cache,target=/root/.cache/pip python3 -m pip install -r list.txt 2>/dev/null\n",
        {(3, "DL3013"), (3, "DL3042"), (5, "DL3013")},
    ),
    "apk and npm": (
        HEAD + "RUN apk add --no-cache curl git=2\nRUN npm install -g pm2@5 yarn\nRUN npm install @a/b@1 ./c\n",
        {(3, "DL3018"), (4, "DL3016")},
    ),
    "copies": (
        HEAD + "ADD . /app\nADD a.tar.gz /b\nADD https://x.example/y /z\nWORKDIR app\nRUN cd /x && ls\nRUN sudo ls\n",
        {(3, "DL3020"), (6, "DL3000"), (7, "DL3003"), (8, "DL3004")},
    ),
    "starts": (HEAD + 'CMD a\nCMD ["b"]\nENTRYPOINT c\n', {(3, "DL3025"), (4, "DL4003"), (5, "DL3025")}),
    "pipes": (
        HEAD + 'RUN a | b\nRUN echo "c | d" || e\nSHELL ["/bin/bash", "-o", "pipefail", "-c"]\nRUN a | b\n',
        {(3, "DL4006")},
    ),
    "taken out": (
        "# hadolint global ignore=DL3006\nFROM a\nUSER 1\n# hadolint ignore=DL3004\nRUN sudo a\nRUN sudo b\n",
        {(6, "DL3004")},
    ),
    "old": (HEAD + "MAINTAINER somebody\n", {(3, "DL4000")}),
}
OUR_OWN = {
    "no FROM": ("RUN ls\n", {(1, "ECL0001")}),
    "a word that is none": ("FROM a:1\nCOPYY a b\nUSER 1\n", {(2, "ECL0002")}),
    "root without a word": ('FROM a:1\nCMD ["a"]\n', {(1, "ECL0003")}),
    "order": ("FROM a:1\nCOPY . .\nRUN npm ci\nUSER 1\n", {(2, "ECL0004")}),
    "secrets": (
        "FROM a:1\nARG DB_PASSWORD\nENV DB_PASSWORD=$DB_PASSWORD TOKENS=3\nENV API_TOKEN abc\nARG SECRET=x\nUSER 1\n",
        {(4, "ECL0005"), (5, "ECL0005")},
    ),
    "a here-document": (
        "FROM a:1\nRUN <<EOF\napt-get install -y a=1 --no-install-recommends\nsudo b\nEOF\nUSER 1\n",
        {(2, "DL3004")},
    ),
}


def found(text: str) -> set[tuple[int, str]]:
    return {(one.line, one.rule) for one in lint(text)}


@pytest.mark.parametrize("name", [*SAMPLES, *OUR_OWN])
def test_each_rule_says_its_line(name: str) -> None:
    text, wanted = (SAMPLES | OUR_OWN)[name]
    assert found(text) == wanted


@pytest.mark.parametrize("name", SAMPLES)
def test_hadolint_says_the_same(name: str, tmp_path: Path) -> None:
    hadolint = shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not on this machine")
    page = tmp_path / "Dockerfile"
    page.write_text(SAMPLES[name][0])
    words = [hadolint, "--no-fail", "--format", "json", str(page)]
    said = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    known = {rule for _, wanted in SAMPLES.values() for _, rule in wanted}
    assert {(one["line"], one["code"]) for one in said if one["code"] in known} == SAMPLES[name][1]


def test_any_text_is_judged_and_none_stops_it() -> None:
    for text in (
        "",
        "\0",
        "FROM",
        'FROM a:1\nRUN echo "',
        "FROM a:1\nRUN <<X\n",
        "FROM a:1 \\",
        "ENV",
        "# escape=`\nFROM a:1\nRUN a `\n b\n",
    ):
        assert all(one.level in Level for one in lint(text))
    assert [one.line for one in lint("FROM a:1\nUSER 1\nRUN \\\n  sudo \\\n  ls\n")] == [3]


@pytest.mark.parametrize(
    ("path", "is_one"),
    [("Dockerfile", True), ("a/Dockerfile.dev", True), ("api.Dockerfile", True), ("Containerfile", True),
     ("Dockerfile.dockerignore", False), ("dockerfile.md.txt", True), ("docs/docker.md", False)],
)  # fmt: skip
def test_what_a_dockerfile_is_called(path: str, is_one: bool) -> None:
    assert is_dockerfile(path) is is_one
