"""Paths that steer tools, people's machines or Écluse itself, and what may settle a conflict without a person.

Intake puts a change of such a path before a person; no rule ever resolves a conflict in one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ecluse.git import Repository
from ecluse.git.resolving import Rules
from ecluse.patterns import expression

if TYPE_CHECKING:
    from ecluse.config import Config

POLICY: dict[str, tuple[str, tuple[str, ...]]] = {
    "policy.ci_changed": (
        "what is run to test this repository",
        (
            r"(?:^|/)\.github/(?:(?:workflows|actions)/|$)",
            r"(?:^|/)\.(?:forgejo|gitea)/(?:workflows/|$)",
            r"(?:^|/)action\.ya?ml$",
            r"(?:^|/)(?:\.gitlab-ci\.yml|\.drone\.ya?ml|\.travis\.yml|bitbucket-pipelines\.yml|\.?appveyor\.yml)$",
            r"(?:^|/)(?:\.gitlab/ci|\.circleci|\.buildkite|\.woodpecker)(?:/|\.ya?ml$)",
            r"(?:^|/)(?:Jenkinsfile|azure-pipelines[^/]*\.ya?ml$|buildspec\.ya?ml$|cloudbuild\.ya?ml$)",
            r"^\.ci/|^\.github/(?:dependabot\.ya?ml|settings\.ya?ml|ecluse-actions\.lock)$",
            r"^(?:\.semaphore|\.teamcity|\.tekton|\.builds)/|^\.(?:cirrus\.(?:yml|star)|build\.yml)$",
            r"(?:^|/)(?:\.?mergify\.yml|\.kodiak\.toml|renovate\.json5?|\.renovaterc(?:\.json5?)?)$",
        ),
    ),
    "policy.config_changed": ("the policy of Écluse", (r"^ecluse\.toml$", r"^\.ecluse/")),
    "policy.importer_changed": ("the scripts that carry changes", (r"^\.sync/(?:(?:scripts|templates)/|$)",)),
    "policy.owners_changed": ("who must agree to what", (r"(?:^|/)CODEOWNERS$", r"^\.mailmap$")),
    "policy.release_changed": (
        "how releases are made",
        (
            r"(?:^|/)playbook\.(?:ya?ml|md|json|toml)$",
            r"^(?:release|deploy|deployment)/[^/]+\.(?:ya?ml|toml|json|sh)$",
            r"(?:^|/)(?:\.goreleaser\.ya?ml|\.releaserc(?:\.[a-z]+)?|release-please-config\.json|release\.config\.[a-z]+)$",
        ),
    ),
    "policy.instructions_changed": (
        "what agents are told",
        (
            r"(?:^|/)(?:AGENTS?|CLAUDE|GEMINI|CODEX|COPILOT|QWEN|CRUSH|WARP)(?:\.override|\.local)?\.md$|(?:^|/)SKILL\.md$",
            r"(?:^|/)\.(?:(?:cursor|windsurf|cline|aider|roo|continue)rules(?:-[a-z]+)?|goosehints|rules|augment-guidelines)(?:/|$)",
            r"(?:^|/)\.(?:cursor|claude|codex|windsurf|continue|gemini|aider[^/]*|roo|kiro|junie|kilocode)(?:/|$)",
            r"(?:^|/)\.(?:augment|trae|amazonq|opencode|qwen|agents?|goose)(?:/|$)",
            r"^\.github/(?:copilot-instructions\.md$|prompts/|instructions/|chatmodes/|agents/|skills/)|^\.idx/airules\.md$",
            r"(?:^|/)(?:\.?mcp\.json|opencode\.jsonc?|\.?crush\.json)$",
        ),
    ),
    "toolconfig.autorun": (
        "a program that starts by itself on somebody's machine",
        (
            r"(?:^|/)\.vscode/(?:(?:tasks|settings|launch|extensions)\.json)?$",
            r"(?:^|/)(?:\.idea|\.devcontainer|\.husky|\.githooks|\.zed|\.fleet|\.vs|\.mvn|\.mise|\.config/mise)/",
            r"(?:^|/)(?:gradle/wrapper|\.yarn/(?:releases|plugins))/",
            r"(?:^|/)(?:\.?devcontainer\.json|\.envrc|\.autoenv(?:\.zsh)?|\.gitpod\.yml|\.replit|autorun\.inf|\.theia/tasks\.json)$",
            r"(?:^|/)(?:\.pre-commit-config\.ya?ml|\.?lefthook(?:-local)?\.(?:ya?ml|toml|json)|\.huskyrc(?:\.[a-z]+)?|\.overcommit\.yml)$",
            r"(?:^|/)\.(?:bashrc|bash_profile|bash_login|bash_logout|profile|zshrc|zshenv|zprofile|zlogin|zlogout|kshrc|cshrc|tcshrc|login)$",
            r"(?:^|/)(?:\.lfsconfig|\.inputrc|\.Rprofile|\.irbrc|\.pryrc|\.hgrc|\.curlrc|\.wgetrc|[^/]*profile\.ps1)$",
            r"(?:^|/)(?:\.npmrc|\.yarnrc(?:\.yml)?|\.pnpmfile\.cjs|\.pnp\.c?js|binding\.gyp|nuget\.config|\.bundle/config)$",
            r"(?:^|/)(?:pip\.conf|\.?pip\.ini|\.cargo/config(?:\.toml)?|\.gradle/init\.gradle(?:\.kts)?|init\.gradle(?:\.kts)?)$",
            r"(?:^|/)(?:\.gdbinit|\.lldbinit|\.gitconfig|\.exrc|\.nvimrc|\.nvim\.lua|\.vimrc|\.dir-locals\.el|[^/]*\.code-workspace)$",
            r"(?:^|/)(?:sitecustomize\.py|usercustomize\.py|[^/]*\.pth|(?:\.?mise(?:\.local)?|mise/config)\.toml|\.tool-versions|\.bazelrc)$",
            r"(?:^|/)(?:\.hg|\.svn|\.bzr|\.jj)/|(?:^|/)(?:desktop\.ini|[^/]*\.(?:lnk|scf|library-ms))$",
        ),
    ),
}
"""Rule -> what a change of such a file changes, and the shapes of their paths."""

COMPILED = tuple((code, what, expression("|".join(shapes), re.IGNORECASE)) for code, (what, shapes) in POLICY.items())
"""In any case of letters: on the systems of most people ``agents.md`` is ``AGENTS.md``."""

_NEVER = expression(r"(?:^|/)(?:\.[^/]*|git~[^/]*|pyproject\.toml|package\.json)(?:/|$)|[\\:*?\"<>|]", re.IGNORECASE)
"""Beside the table: hidden files, what holds settings or scripts, and names that not every system takes."""


def glob(pattern: str) -> re.Pattern[str]:
    """A path pattern: ``*`` within a folder, ``**`` across folders, a trailing slash for everything below."""
    whole = pattern.rstrip("/") + ("/**" if pattern.endswith("/") else "")
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", whole)
    forms = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(forms.get(piece) or re.escape(piece) for piece in pieces), re.DOTALL)


def is_guarded(path: str, config: Config) -> bool:
    """Whether a conflict in ``path`` is for a person, whatever its two sides hold."""
    return (
        not path.isprintable()
        or bool(_NEVER.search(path))
        or any(shape.search(path) for _, _, shape in COMPILED)
        or path.startswith(f"{config.release.playbooks.strip('/')}/")
        or any(glob(pattern).fullmatch(path) for pattern in config.intake.protected)
    )


def rules_for(repository: Repository, config: Config) -> Rules:
    """What the policy in force lets settle a conflict; ``repository`` holds the resolutions that people recorded."""
    patterns = [glob(pattern) for pattern in config.landing.union]
    return Rules(
        names=config.landing.rules,
        takes_union=lambda path: any(one.fullmatch(path) for one in patterns),
        guarded=lambda path: is_guarded(path, config),
        recorded=repository.common_dir / "rr-cache",
    )
