"""Actions that publish, report, log in or need a container engine: known, and not run here.

Their steps end ``skipped`` with the reason, in the log, in the report and as a notice: never green for what was not
done. A folder given with ``--local-action`` runs in their place.
"""

from __future__ import annotations

from ecluse.checks.actions import ActionCall, Outcome
from ecluse.model import Result

_PUBLISHES = "it publishes, and what is published is decided by a release, not by a check"
_REPORTS = "it reports to a service; the report of this run has what it would send"
_WRITES = "it writes to the forge (issues, pull requests, labels, branches), which a check here never does"
_SIGNS_IN = "it obtains credentials of a cloud or forge, and a check here has none"
_CONTAINERS = "it needs a container engine, and none is used here"
_SCANS = "its findings go to the forge's security pages, which there are none of here"
_OPENS = "it would let somebody into this machine over the network"
_GUARDS = "it changes the rules of the machine's network, which are not a job's to change here"

_GROUPS: dict[str, tuple[str, ...]] = {
    _PUBLISHES: (
        "pypa/gh-action-pypi-publish", "softprops/action-gh-release", "ncipollo/release-action",
        "actions/create-release", "actions/upload-release-asset", "svenstaro/upload-release-action",
        "actions/attest", "actions/attest-build-provenance", "actions/attest-sbom", "actions/deploy-pages",
        "actions/configure-pages", "actions/upload-pages-artifact", "sigstore/gh-action-sigstore-python",
        "slsa-framework/slsa-github-generator", "peaceiris/actions-gh-pages", "jamesives/github-pages-deploy-action",
        "googleapis/release-please-action", "google-github-actions/release-please-action", "changesets/action",
        "goreleaser/goreleaser-action", "js-devtools/npm-publish", "cloudflare/wrangler-action",
        "cloudflare/pages-action", "amondnet/vercel-action", "nwtgck/actions-netlify", "getsentry/action-release",
        "getsentry/craft", "cycjimmy/semantic-release-action", "python-semantic-release/python-semantic-release",
        "release-drafter/release-drafter", "rust-lang/crates-io-auth-action", "katyo/publish-crates",
    ),
    _REPORTS: (
        "codecov/codecov-action", "codecov/test-results-action", "coverallsapp/github-action",
        "sonarsource/sonarcloud-github-action", "sonarsource/sonarqube-scan-action", "dorny/test-reporter",
        "mikepenz/action-junit-report", "enricomi/publish-unit-test-result-action", "codspeedhq/action",
        "py-cov-action/python-coverage-comment-action", "paambaati/codeclimate-action", "deepsourcelabs/test-coverage-action",
        "slackapi/slack-github-action", "8398a7/action-slack", "rtcamp/action-slack-notify", "ravsamhq/notify-slack-action",
        "appleboy/telegram-action", "dawidd6/action-send-mail", "preactjs/compressed-size-action",
        "benchmark-action/github-action-benchmark", "nearform-actions/github-action-test-compare",
    ),
    _WRITES: (
        "actions/labeler", "actions/stale", "actions/first-interaction", "actions/add-to-project",
        "actions/dependency-review-action", "actions/delete-package-versions", "dependabot/fetch-metadata",
        "dessant/lock-threads", "dessant/support-requests", "lee-dohm/no-response", "tibdex/backport",
        "korthout/backport-action", "peter-evans/create-pull-request", "peter-evans/create-or-update-comment",
        "peter-evans/find-comment", "peter-evans/repository-dispatch", "peter-evans/create-issue-from-file",
        "marocchino/sticky-pull-request-comment", "stefanzweifel/git-auto-commit-action", "ad-m/github-push-action",
        "endbug/add-and-commit", "pascalgn/automerge-action", "fastify/github-action-merge-dependabot",
        "actions-ecosystem/action-add-labels", "actions-ecosystem/action-remove-labels", "octokit/request-action",
        "eps1lon/actions-label-merge-conflict", "jayqi/failed-build-issue-action", "jasonetco/create-an-issue",
        "tiangolo/pr-submit", "tiangolo/pr-push", "tiangolo/issue-manager", "pre-commit-ci/lite-action",
        "amannn/action-semantic-pull-request", "wow-actions/auto-comment", "hmarr/auto-approve-action",
    ),
    _SIGNS_IN: (
        "actions/create-github-app-token", "tibdex/github-app-token", "aws-actions/configure-aws-credentials",
        "aws-actions/amazon-ecr-login", "azure/login", "google-github-actions/auth", "hashicorp/vault-action",
        "1password/load-secrets-action",
    ),
    _CONTAINERS: (
        "docker/login-action", "docker/build-push-action", "docker/setup-buildx-action", "docker/setup-qemu-action",
        "docker/bake-action", "docker/setup-docker-action", "useblacksmith/setup-docker-builder",
        "useblacksmith/build-push-action", "supercharge/mongodb-github-action", "redhat-actions/buildah-build",
        "helm/kind-action", "medyagh/setup-minikube",
    ),
    _SCANS: (
        "github/codeql-action/init", "github/codeql-action/autobuild", "github/codeql-action/analyze",
        "github/codeql-action/upload-sarif", "ossf/scorecard-action", "anchore/scan-action",
        "aquasecurity/trivy-action", "snyk/actions", "getsentry/action-enforce-license-compliance",
    ),
    _OPENS: ("mxschmitt/action-tmate", "csexton/debugger-action"),
    _GUARDS: ("step-security/harden-runner",),
}  # fmt: skip

REASONS: dict[str, str] = {name: reason for reason, names in _GROUPS.items() for name in names}
"""Owner/repo, and path where it matters, in lower case -> why the action is not run here."""


def reason_for(location: str) -> str:
    """Why the action at ``location`` (owner/repo/path) is not run here; empty when it is."""
    name = location.lower()
    return REASONS.get(name) or REASONS.get("/".join(name.split("/")[:2]), "")


def run(call: ActionCall) -> Outcome:
    """Note that the step was not carried out, and why."""
    reason = f"not run here: {reason_for(call.name)}"
    call.session.log.not_here(call.step.uses, reason_for(call.name))
    call.session.log.note("notice", f"{call.step.uses.partition('@')[0]} was {reason}")
    return Outcome(Result.SKIPPED, reason=reason)
