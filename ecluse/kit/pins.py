"""The versions that the kit's files name: actions by commit, tools by release."""

from __future__ import annotations

ACTIONS = {
    "checkout": "actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2",
    "python": "actions/setup-python@a26af69be951a213d495a4c3e4e4022e16d87065 # v5.6.0",
    "node": "actions/setup-node@a0853c24544627f65ddf259abe73b1d18a591444 # v5.0.0",
    "pnpm": "pnpm/action-setup@a7487c7e89a18df4991f7f222e4898a00d66ddda # v4.1.0",
    "paths": "dorny/paths-filter@de90cc6fb38fc0963ad72b210f1f284cd68cea36 # v3.0.2",
    "upload": "actions/upload-artifact@ea165f8d65b6e75b540449e92b4886f43607fa02 # v4.6.2",
    "codecov": "codecov/codecov-action@18283e04ce6e62d37312384ff67231eb8fd56d24 # v5.4.3",
    "buildx": "docker/setup-buildx-action@b5ca514318bd6ebac0fb2aedd5d36ec1b5c232a2 # v3.10.0",
    "build": "docker/build-push-action@263435318d21b8e681c14492fe198d362a7d2c83 # v6.18.0",
    "login": "docker/login-action@74a5d142397b4f367a81961eba4e8cd7edddf772 # v3.4.0",
    "download": "actions/download-artifact@d3f86a106a0bac45b974a628896c90dbdf5c8093 # v4.3.0",
    "pypi": "pypa/gh-action-pypi-publish@76f52bc884231f62b9a034ebfe128415bbaabdfc # v1.12.4",
    "trivy": "aquasecurity/trivy-action@915b19bbe73b92a6cf82a1bc12b087c9a19a5fe2 # 0.28.0",
}
RUFF = "0.17.5"
MYPY = "2.4.1"
BIOME = "2.3.5"
PIP_AUDIT = "2.9.0"
HOOKS = "v6.0.0"
DETECT_SECRETS = "1.5.0"
JEST_JUNIT = "17.0.0"
BUILD = "1.6.1"
UV = "0.13.9"
POETRY = "2.5.1"
PYTEST = "9.2.0"
PYTEST_COV = "7.1.0"
