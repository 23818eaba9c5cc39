"""The way back by the table: asked or by itself, with actions on the way, and what happens when it fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ecluse import release
from ecluse.errors import Invalid
from ecluse.history import wakes
from ecluse.model import Deployment, DeploymentState, Gate, ReleaseState


class Service:
    """A real HTTP service whose health the test decides."""

    def __init__(self, port: int) -> None:
        self.status = 200
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(service.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *words: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Service]]:
    made: list[Service] = []

    def start(desk) -> Service:
        made.append(Service(desk.port))
        return made[-1]

    yield start
    for service in made:
        service.stop()


HEALTH = "- uses: deploy.command\n- uses: health.http\n"
TEMPLATES = "\n## Communications\n\n### alarm\n\nSomething is wrong.\n\n### back\n\nThe old one is back.\n"
QUICK = "health_timeout_s = 0.2"


def paged(desk, *rows: str) -> str:
    """The desk's page with a health check, these rows for the way back, and two messages."""
    page = desk.page.replace("- uses: deploy.command\n", HEALTH)
    standing = "| deploy.command | previous version | no |"
    return page.replace(standing, "\n".join([standing, *rows])) + TEMPLATES


def ill_after_a_good_one(desk, serve) -> tuple[str, str, Service]:
    """One release that is live, and a second one whose health check fails."""
    service = serve(desk)
    first = go(desk)
    assert desk.get(first).state is ReleaseState.DONE
    service.status = 503
    desk.commit("fix: more")
    return first, go(desk), service


def go(desk, until=None) -> str:
    release_id = desk.start()
    desk.drive(release_id)
    desk.approve(release_id)
    desk.drive(release_id, until)
    return release_id


def is_back(desk, first: str) -> bool:
    live = desk.history.find(Deployment, state=DeploymentState.LIVE)
    return [one.release for one in live] == [first]


def test_the_moves_of_a_row_are_done_in_their_order(make_desk, serve):
    row = "| health.http | `notify template=alarm`, then previous version, then `notify template=back` | no |"
    desk = make_desk(page=paged(make_desk(), row), protection=QUICK)
    service = serve(desk)
    first = go(desk)
    service.status = 503
    desk.commit("fix: more")
    second = go(desk, until=lambda r: r.outputs.get("rollback", {}).get("at") == 1)
    service.status = 200
    over = desk.drive(second)
    assert over.state is ReleaseState.ROLLED_BACK and is_back(desk, first)
    texts = desk.texts(second)
    order = [
        texts.index(word) for word in ("notify: Something is wrong", "answers again", "notify: The old one is back")
    ]
    assert order == sorted(order)
    assert desk.deployed() == [first, second, first], "the deploy command was run with the version that came back"


@pytest.mark.parametrize("answer", ["roll back", "leave it", ""])
def test_asked_first_it_goes_back_only_when_people_say_so_or_nobody_says_no(make_desk, serve, hands, answer):
    desk = make_desk(page=paged(make_desk(), "| health.http | previous version | yes |"), protection=QUICK)
    hands.go()
    first, second, service = ill_after_a_good_one(desk, serve)
    waiting = desk.get(second)
    assert waiting.state is ReleaseState.WAITING and "Go back (previous version)?" in waiting.reason
    service.status = 200
    if answer:
        release.answer(desk.repository, desk.history, second, "rollback", answer, who="Ada", how="typed")
    else:
        hands.forward(hours=25)
    over = desk.drive(second, until=lambda r: r.state.is_terminal)
    if answer == "leave it":
        assert over.state is ReleaseState.FAILED and "Ada left it as it is" in over.reason
        assert desk.deployed() == [first, second]
    else:
        assert over.state is ReleaseState.ROLLED_BACK and is_back(desk, first)


def restoring(make_desk) -> dict[str, str]:
    """A desk whose row for a failed health check restores data, and does not say that people are asked."""
    row = "| health.http | `backup.restore`, then previous version | no |"
    return {"page": paged(make_desk(), row), "protection": QUICK}


def with_backup(desk) -> None:
    """A backup in the environment's store, and the policy that knows how to restore it."""
    store, live = desk.target / "backups", desk.target / "live.txt"
    store.mkdir()
    (store / "20260101T000000Z.dump").write_text("as it was")
    live.write_text("spoilt")
    desk.extra = f'[environments.production.backup]\nfolder = "{store}"\nrestore = "cp $ECLUSE_BACKUP {live}"\n'
    desk.commit("chore: backup", ecluse_dot_toml=desk.policy())


def test_data_are_never_restored_without_a_yes(make_desk, serve, hands):
    desk = make_desk(**restoring(make_desk))
    with_backup(desk)
    hands.go()
    _, second, service = ill_after_a_good_one(desk, serve)
    assert "Go back (" in desk.get(second).reason
    hands.forward(hours=25)
    over = desk.drive(second, until=lambda r: r.state.is_terminal)
    assert over.state is ReleaseState.FAILED and "nobody said whether to go back" in over.reason
    assert (desk.target / "live.txt").read_text() == "spoilt" and "release.page" in desk.kinds(second)
    service.status = 200
    release.rollback(desk.history, second, who="Ada", why="now")
    assert desk.drive(second).state is ReleaseState.ROLLED_BACK


def test_with_a_yes_the_data_are_restored_and_the_previous_version_answers(make_desk, serve):
    desk = make_desk(**restoring(make_desk))
    with_backup(desk)
    first, second, service = ill_after_a_good_one(desk, serve)
    assert desk.get(second).state is ReleaseState.WAITING
    service.status = 200
    release.answer(desk.repository, desk.history, second, None, "roll back", who="Ada", how="typed")
    assert desk.drive(second).state is ReleaseState.ROLLED_BACK and is_back(desk, first)
    assert (desk.target / "live.txt").read_text() == "as it was"


def test_a_row_by_hand_brings_the_same_version_again(make_desk, serve):
    row = "| by hand: credentials | `notify template=alarm`, then same version | no |"
    desk = make_desk(page=paged(make_desk(), "| health.http | previous version | no |", row))
    serve(desk)
    first = go(desk)
    with pytest.raises(Invalid, match=r"no row `by hand: nonsense` \(it has: credentials\)"):
        release.rollback(desk.history, first, who="Ada", why="leak", row="nonsense")
    release.rollback(desk.history, first, who="Ada", why="leak", row="credentials")
    over = desk.drive(first)
    assert over.state is ReleaseState.DONE and "leak" in over.reason and is_back(desk, first)
    assert desk.deployed() == [first, first]


def test_a_row_by_hand_that_is_left_leaves_the_release_as_it_was(make_desk, serve):
    row = "| by hand: migration | previous version | yes |"
    desk = make_desk(page=paged(make_desk(), "| health.http | previous version | no |", row))
    serve(desk)
    first = go(desk)
    for number in ("rollback", "rollback-2"):
        release.rollback(desk.history, first, who="Ada", why="odd rows", row="migration")
        assert desk.drive(first).state is ReleaseState.WAITING
        assert desk.history.find(Gate)[-1].name == number
        release.answer(desk.repository, desk.history, first, number, "leave it", who="Ada", how="typed")
        over = desk.drive(first)
        assert over.state is ReleaseState.DONE and is_back(desk, first)


def test_a_way_back_that_fails_calls_people_and_stops_and_can_be_tried_again(make_desk, serve):
    desk = make_desk(page=paged(make_desk(), "| health.http | previous version | no |"), protection=QUICK)
    first, second, service = ill_after_a_good_one(desk, serve)
    over = desk.get(second)
    assert over.state is ReleaseState.FAILED and "THE ROLLBACK FAILED" in over.reason
    (page,) = desk.history.events(subject=over.subject, kind="release.page")
    assert page.data["urgent"] is True and f"ecluse release rollback {second}" in page.text
    assert wakes.all_wakes(desk.history) == {}, "nothing more is tried"
    with pytest.raises(Invalid, match="tried again"):
        release.retry(desk.repository, desk.history, second, who="Ada")
    service.status = 200
    release.rollback(desk.history, second, who="Ada", why="the disk has room again")
    assert desk.drive(second).state is ReleaseState.ROLLED_BACK and is_back(desk, first)


def test_the_tag_of_a_rollback_is_put_where_the_policy_wants_it(make_yard):
    yard = make_yard(release_policy="rollback_tags = true")
    first = yard.release()
    yard.commit("feat: more")
    second = yard.release()
    release.rollback(yard.history, second.id, who="Ada", why="no good")
    assert yard.drive(second.id).state is ReleaseState.ROLLED_BACK
    assert yard.git("tag").split() == ["v0.1.0", "v0.2.0", "v0.2.0-rollback"]
    assert yard.git("rev-parse", "v0.2.0-rollback^{commit}") == first.commit
    yard.commit("fix: now")
    assert release.plan(yard.repository, yard.history, "release", {}).previous == "0.2.0"
