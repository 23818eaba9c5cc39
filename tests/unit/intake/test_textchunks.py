"""Text chunks: whatever order, noise and line ends they arrive with, the bytes come out the same or it is said why not."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecluse.errors import Invalid, Refused
from ecluse.intake.textchunks import looks_like_chunks, read_chunks, write_chunks


def blocks(text: str) -> list[str]:
    return [
        block + "-----END ECLUSE CHUNK-----\n" for block in text.split("-----END ECLUSE CHUNK-----\n") if block.strip()
    ]


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400), st.integers(1, 90), st.randoms(use_true_random=False))
def test_any_order_with_noise_around(data: bytes, size: int, dice: random.Random) -> None:
    parts = blocks(write_chunks(data, size))
    parts += parts[:2]
    dice.shuffle(parts)
    text = "Here it is:\n```\n" + "\nand this - one:\n\n".join(parts) + "\n```\nBye"
    assert read_chunks(text.encode()) == data


def test_quoted_wrapped_and_with_other_line_ends(dice: random.Random) -> None:
    data = dice.randbytes(1000)
    text = write_chunks(data, 300)
    quoted = "".join(f"> > {line}\r\n" for line in text.splitlines())
    assert read_chunks(quoted.encode()) == data
    wrapped = text.replace(" sha256:", "\n   sha256:").replace("CHUNK ", "CHUNK\n> ")
    assert looks_like_chunks(wrapped.encode())
    assert read_chunks(wrapped.encode()) == data


def test_what_editors_make_of_blanks_and_hyphens(dice: random.Random) -> None:
    data = dice.randbytes(1000)
    text = write_chunks(data, 300)
    for dressed in (text.replace(" ", "\u00a0"), text.replace("-----", "\u2014"), text.replace("--", "\u2013")):
        assert looks_like_chunks(dressed.encode())
        assert read_chunks(dressed.encode()) == data
    assert read_chunks(text.encode("utf-16")) == data


def test_missing_and_damaged_ones_are_named(dice: random.Random) -> None:
    parts = blocks(write_chunks(dice.randbytes(1000), 100))
    with pytest.raises(Invalid) as missing:
        read_chunks("".join(parts[:2] + parts[5:]).encode())
    assert (missing.value.code, "10 chunks" in missing.value.message) == ("text.missing", True)
    assert "3-5." in missing.value.message
    head, _, body = parts[3].partition("\n")
    if head.strip() == "":
        head, _, body = body.partition("\n")
    flipped = f"{head}\n{'A' if body[0] != 'A' else 'B'}{body[1:]}"
    with pytest.raises(Refused) as damaged:
        read_chunks("".join([*parts[:3], flipped, *parts[4:9]]).encode())
    assert damaged.value.code == "text.damaged"
    assert "damaged: 4; missing: 10" in damaged.value.message
    assert len(read_chunks("".join([*parts[:3], flipped, *parts[3:]]).encode())) == 1000  # the good copy counts
    with pytest.raises(Refused):
        read_chunks(parts[0].split("-----END")[0].encode())


def test_chunks_of_two_bundles_are_not_mixed(dice: random.Random) -> None:
    text = write_chunks(dice.randbytes(50), 30) + write_chunks(dice.randbytes(50), 30)
    with pytest.raises(Invalid) as caught:
        read_chunks(text.encode())
    assert caught.value.code == "text.mixed"


def test_a_mention_is_no_chunk() -> None:
    assert not looks_like_chunks(b"diff --git\n+-----BEGIN ECLUSE CHUNK %d\n")
