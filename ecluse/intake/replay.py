"""Nonces of foreign manifests: one nonce is one delivery for ever, whatever name it comes under."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

from ecluse.files import write_atomically
from ecluse.intake.manifest import Manifest


def seen_with(state_dir: Path, said: Manifest | None) -> str:
    """The digest of the parcel that the manifest's nonce came with before; empty for a new nonce, or none."""
    nonce = _nonce(said)
    if nonce:
        with contextlib.suppress(OSError):
            return _place(state_dir, nonce).read_text("ascii").strip()
    return ""


def remember(state_dir: Path, said: Manifest | None, digest: str) -> None:
    """Keep the manifest's nonce with the digest of its parcel. Nothing to do without a nonce."""
    nonce = _nonce(said)
    if nonce:
        write_atomically(_place(state_dir, nonce), digest.encode("ascii") + b"\n")


def _nonce(said: Manifest | None) -> str:
    return str(said.extra.get("nonce", "")) if said else ""


def _place(state_dir: Path, nonce: str) -> Path:
    return state_dir / "inbox" / "nonces" / hashlib.sha256(nonce.encode()).hexdigest()
