"""The secret scanner: shapes are found, their lines are right, values never leave it, ordinary text is let be.

Every secret-shaped value is made up when the test runs.
"""

from __future__ import annotations

import random
import string

import pytest

from ecluse.secrets.scan import SecretHit, Sieve, scan, scan_added, sensitive_path

ALNUM = string.ascii_letters + string.digits


def made_up(dice: random.Random, alphabet: str, length: int) -> str:
    """A random value that holds a digit, an upper and a lower case letter."""
    while True:
        text = "".join(dice.choice(alphabet) for _ in range(length))
        if any(c.isdigit() for c in text) and any(c.isupper() for c in text) and any(c.islower() for c in text):
            return text


def tokens(dice: random.Random) -> dict[str, str]:
    upper = string.ascii_uppercase + "234567"
    return {
        "aws-access-key-id": "AK" + "IA" + "".join(dice.choice(upper) for _ in range(16)),
        "github-token": "gh" + "p_" + made_up(dice, ALNUM, 36),
        "gitlab-token": "glp" + "at-" + made_up(dice, ALNUM, 20),
        "slack-token": "xox" + "b-" + made_up(dice, ALNUM, 40),
        "stripe-key": "sk_" + "live_" + made_up(dice, ALNUM, 24),
        "anthropic-key": "sk-" + "ant-" + made_up(dice, ALNUM, 40),
        "openai-key": "sk-" + "proj-" + made_up(dice, ALNUM, 48),
        "google-api-key": "AI" + "za" + made_up(dice, ALNUM, 35),
        "npm-token": "npm" + "_" + made_up(dice, ALNUM, 36),
        "pypi-token": "pypi-" + "AgE" + made_up(dice, ALNUM, 60),
        "jwt": ".".join(("ey" + "J" + made_up(dice, ALNUM, 20), "ey" + "J" + made_up(dice, ALNUM, 30), made_up(dice, ALNUM, 40))),
    }  # fmt: skip


def test_every_provider_is_found_on_its_line(dice: random.Random) -> None:
    for rule, token in tokens(dice).items():
        data = f"first\nsecond\nvalue = {token}\n".encode()
        assert scan(data, "settings.txt") == [SecretHit(rule, 3)], rule


def test_private_key_block(dice: random.Random) -> None:
    body = made_up(dice, ALNUM, 64)
    block = f"x\n-----BEGIN OPENSSH PRIVATE " + f"KEY-----\n{body}\n{body}\n-----END\n"  # noqa: F541
    assert scan(block.encode(), "k") == [SecretHit("private-key", 2)]
    assert scan(b"the text BEGIN PRIVATE " + b"KEY is only named here\n", "k") == []


def test_assignments(dice: random.Random) -> None:
    value = made_up(dice, ALNUM, 32)
    aws = made_up(dice, ALNUM + "+", 40)
    for text, rule in (
        (f'api_key = "{value}"', "secret-assignment"),
        (f"  client_secret: {value}", "secret-assignment"),
        (f"export AUTH_TOKEN={value}", "secret-assignment"),
        (f'"accessKey": "{value}"', "secret-assignment"),
        (f"aws_secret_access_key = {aws}", "aws-secret-key"),
        (f'password = "{value[:14]}-9aZ"', "password-assignment"),
        (f"postgres://me:{value}@db.internal/x", "url-password"),
    ):
        assert [hit.rule for hit in scan(text.encode(), "a.cfg")] == [rule], text.replace(value, "VALUE")


@pytest.mark.parametrize(
    "text",
    [
        'password = "change-me-please-1"',
        "token = os.environ['SERVICE_TOKEN_FOR_2024']",
        "api_key: ${{ secrets.DEPLOY_KEY_NUMBER_1 }}",
        'secret = "your_secret_goes_here_1234"',
        "token = get_token_from_the_request(request1)",
        "credentials = standard_b64encode(credentials).decode('ascii')",
        "password = input('Type your password: ')",
        "passwords are checked in auth/password_checker2.py",
        "secret_key = settings.SECRET_KEY_FALLBACK_2",
        "token_type = 'bearer'",
        'api_key = "<YOUR-API-KEY-0123456789>"',
        "private_key_path = /etc/ssl/private/server1/2024/key",
    ],
)
def test_ordinary_text_is_let_be(text: str) -> None:
    assert scan(text.encode(), "a.py") == []


def test_the_value_never_leaves(dice: random.Random) -> None:
    for token in tokens(dice).values():
        assert token[6:] not in repr(scan(f"x = {token}".encode(), "a"))


def test_lock_files_are_full_of_checksums(dice: random.Random) -> None:
    line = f'"integrity-token": "{made_up(dice, ALNUM, 40)}"'.encode()
    assert scan(line, "a/package-lock.json") == []
    assert scan(line, "a/settings.json") != []
    assert scan(tokens(dice)["npm-token"].encode(), "package-lock.json") != []


def test_what_was_there_before_is_not_the_changes_doing(dice: random.Random) -> None:
    one, two = tokens(dice)["github-token"], "gh" + "p_" + made_up(dice, ALNUM, 36)
    old = f"a = {one}\n".encode()
    assert scan_added(old, old + b"more\n", "f") == []
    assert scan_added(old, old + f"b = {two}\n".encode(), "f") == [SecretHit("github-token", 2)]


def test_binary_content_is_searched_for_tokens(dice: random.Random) -> None:
    assert scan(b"\0\1\2" + tokens(dice)["stripe-key"].encode() + b"\0", "a.bin") == [SecretHit("stripe-key", 1)]


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        (".env", "env-file"),
        ("deploy/.env.production", "env-file"),
        ("prod.env", "env-file"),
        (".envrc", None),
        (".env-production", "env-file"),
        (".env_example", None),
        (".env.example", None),
        ("config/sample.env", None),
        ("secrets/db.yml", "secrets-folder"),
        ("secrets/scan.py", None),
        ("a/credentials.json", "credential-file"),
        (".aws/credentials", "credential-file"),
        ("tls/server.key", "key-file"),
        ("home/id_ed25519", "credential-file"),
        ("id_ed25519.pub", None),
        (".ssh/config", "ssh-folder"),
        ("src/environment.py", None),
        ("docs/credentials.md", None),
        ("keyboard.py", None),
    ],
)
def test_sensitive_paths(path: str, rule: str | None) -> None:
    assert sensitive_path(path) == rule


def test_the_sieve_lets_nothing_through_that_a_scan_would_find(dice: random.Random) -> None:
    sieve = Sieve()
    token = "gh" + "p_" + "".join(dice.choice(string.ascii_letters + string.digits) for _ in range(36))
    password = (
        "pass" + "word = '" + "".join(dice.choice(string.ascii_letters + string.digits) for _ in range(24)) + "-9Z'"
    )
    lines = [f"value_{number} = {number}" for number in range(40)] + [f"x = '{token}'", password, "pass" + "word ="]
    for _ in range(400):
        data = "\n".join(dice.choices(lines[: dice.choice((40, 43))], k=12)).encode()
        assert sieve.may_hold(data) or not scan(data)
    assert not sieve.may_hold(b"value_1 = 1")
    assert sieve.may_hold(f"value_1 = 1\n{token}".encode())
    assert sieve.may_hold(f"value_1 = 1\n{token}".encode()), "what was found once is found again"
    files = [
        (str(number), "\n".join(dice.choices(lines[: dice.choice((40, 40, 40, 43))], k=300)).encode())
        for number in range(200)
    ]
    held = {name for name, data in files if scan(data)}
    together = [name for name, _ in Sieve().suspects(files)]
    assert held <= set(together) < {name for name, _ in files}, "some groups are clean, and no file is forgotten"
    assert len(together) == len(set(together))


WIDE = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")
MARKED = {
    "utf-16-le": b"\xff\xfe",
    "utf-16-be": b"\xfe\xff",
    "utf-32-le": b"\xff\xfe\0\0",
    "utf-32-be": b"\0\0\xfe\xff",
}


@pytest.mark.parametrize("encoding", WIDE)
def test_what_stands_in_characters_of_several_bytes_is_found(encoding: str, dice: random.Random) -> None:
    for rule, token in tokens(dice).items():
        for before in ("x = 1\r\ny = 2\r\n", "\u6731\u6731\n\u6731\n\u6731", "\u00e9\n\n"):
            data = f"{before}{token}\r\nmore\r\n".encode(encoding)
            found = scan(data, "a.reg")
            assert {one.rule for one in found} == {rule}, (rule, before)
            assert {one.line for one in found} == {before.count("\n") + 1}
            assert Sieve().may_hold(data)
            assert scan_added(token.encode(), data) == []
            assert scan_added(data, token.encode()) == []
            assert scan(b"\x7fELF\0\1" + MARKED.get(encoding, b"") + data + bytes(range(256)) * 40), (
                "a piece of a binary"
            )


@pytest.mark.parametrize("encoding", WIDE)
def test_assignments_count_in_a_wide_text_and_not_in_what_has_wide_pieces(encoding: str, dice: random.Random) -> None:
    data = f'[main]\napi_key = "{made_up(dice, ALNUM, 32)}"\n'.encode(encoding)
    assert [hit.rule for hit in scan(data, "a.ini")][:1] == ["secret-assignment"]
    assert [hit.rule for hit in scan(MARKED.get(encoding, b"") + data, "a.ini")][:1] == ["secret-assignment"]
    assert Sieve().may_hold(data)
    assert scan(data, "poetry.lock") == []
    assert scan(bytes(range(256)) * 40 + data, "a.dll") == []


def test_zero_bytes_between_names_join_nothing(dice: random.Random) -> None:
    table = b"\0".join(b"sk-" + made_up(dice, ALNUM, 12).encode() for _ in range(9))
    assert scan(table + b"\0" + b"AK" + b"IA\0" + made_up(dice, ALNUM, 16).encode(), "t.so") == []
    assert scan("one\0two\0three".encode("utf-16") + made_up(dice, ALNUM, 40).encode(), "t.bin") == []
