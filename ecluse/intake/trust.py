"""Whose change it is, proved by a signature, and whether the policy lets its code be run."""

from __future__ import annotations

from pathlib import Path

from ecluse import signing
from ecluse.errors import Refused
from ecluse.files import read_capped
from ecluse.git import Repository
from ecluse.model import Change
from ecluse.signing import Principal
from ecluse.trunk import Trunk

_SIGNATURE_CAP = 64 << 10


def find_signer(trunk: Trunk, manifest: Path, signature: Path) -> Principal:
    """Who signed the manifest. Raises :class:`Refused` (``signature.invalid``) unless a listed key did."""
    text = read_capped(signature, _SIGNATURE_CAP).decode("ascii", "replace")
    if not trunk.signers.strip():
        raise Refused(
            "signature.unknown",
            "The bundle is signed, and this repository lists no keys to check it against.",
            "ecluse keys add NAME --role agent --key FILE.pub, commit it, then import again",
        )
    return signing.verify(manifest.read_bytes(), text, trunk.signers, signing.BUNDLE)


def trusted_by(trunk: Trunk, signer: Principal | None) -> str:
    """What makes the change trusted without a person: ``key NAME (role)``, ``policy: trust = all``, or nothing."""
    if signer is not None:
        return f"key {signer.name} ({signer.role})"
    return "policy: trust = all" if trunk.config.trust == "all" else ""


def signer_of(repository: Repository, trunk: Trunk, change: Change) -> Principal | None:
    """Who signed a received change, looked up again in its kept bytes; ``None`` for an unsigned one."""
    from ecluse.intake.inbox import kept_parcel

    parcel = kept_parcel(repository.state_dir, change.digest)
    if not parcel.signature:
        return None
    try:
        return find_signer(trunk, parcel.folder / parcel.manifest, parcel.folder / parcel.signature)
    except Refused:
        return None
