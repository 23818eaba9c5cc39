"""Signatures with OpenSSH's own tool: ``ssh-keygen -Y`` and an ``allowed_signers`` file with roles.

A role is the set of namespaces a key may sign in, so stock ``ssh-keygen`` enforces it: an agent's key signs bundles
and nothing else; a human's signs approvals too; an admin's also changes of keys and policy.
"""

from __future__ import annotations

import base64
import hashlib
import tempfile
from pathlib import Path

from ecluse import process
from ecluse.dataclass import dataclass
from ecluse.errors import Invalid, Refused
from ecluse.model import Role

BUNDLE = "bundle@ecluse"
APPROVAL = "approval@ecluse"
ADMIN = "admin@ecluse"

NAMESPACES: dict[Role, tuple[str, ...]] = {
    Role.AGENT: (BUNDLE,),
    Role.HUMAN: (BUNDLE, APPROVAL),
    Role.ADMIN: (BUNDLE, APPROVAL, ADMIN),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """One line of ``allowed_signers``: who, what they may do, and their public key (``type base64``)."""

    name: str
    role: Role
    key: str


def available() -> bool:
    """Whether ``ssh-keygen`` is on this machine."""
    return process.which("ssh-keygen") is not None


def make_key(path: Path, comment: str) -> str:
    """Make an Ed25519 key pair at ``path`` (no passphrase, readable by its owner only); return the public key."""
    _need_tool()
    path.parent.mkdir(parents=True, exist_ok=True)
    process.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])
    return " ".join(path.with_name(path.name + ".pub").read_text().split()[:2])


def signer_line(principal: Principal) -> str:
    """The ``allowed_signers`` line of a principal."""
    return f'{principal.name} namespaces="{",".join(NAMESPACES[principal.role])}" {principal.key}\n'


def principals(allowed_signers: bytes) -> list[Principal]:
    """Every principal of an ``allowed_signers`` file. Raises :class:`Invalid` naming the first line that is wrong."""
    found = []
    for number, line in enumerate(allowed_signers.decode("utf-8", "replace").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        fields = line.split()
        option = next((f for f in fields[1:-2] if f.startswith("namespaces=")), "")
        names = frozenset(option.removeprefix("namespaces=").strip('"').split(","))
        role = next((role for role, spaces in NAMESPACES.items() if names == frozenset(spaces)), None)
        if len(fields) < 4 or role is None or not is_key(fields[-2], fields[-1]):
            raise Invalid(
                "keys.line",
                f'allowed_signers line {number} is not `name namespaces="..." type key` with the namespaces of a role.',
                "ecluse keys list",
            )
        found.append(Principal(fields[0], role, f"{fields[-2]} {fields[-1]}"))
    return found


def sign(payload: bytes, key: Path, namespace: str) -> str:
    """An armoured signature of ``payload``. Raises :class:`Invalid` when the key is missing or cannot sign."""
    _need_tool()
    if not key.is_file():
        raise Invalid("keys.missing", f"There is no key {key}.", "ecluse keys make NAME --role human")
    done = process.run(["ssh-keygen", "-Y", "sign", "-q", "-f", str(key), "-n", namespace], stdin=payload, check=False)
    if done.code or not done.stdout.startswith(b"-----BEGIN SSH SIGNATURE"):
        said = done.stderr.decode("utf-8", "replace").strip()
        raise Invalid("keys.cannot_sign", f"The key {key} could not sign: {said}.", "ecluse keys list")
    return done.stdout.decode("ascii")


def verify(payload: bytes, signature: str, allowed_signers: bytes, namespace: str) -> Principal:
    """Who signed ``payload``. Raises :class:`Refused` unless a listed key with the right role did."""
    _need_tool()
    with tempfile.TemporaryDirectory(prefix="ecluse-verify-") as folder:
        signers, proof = Path(folder, "signers"), Path(folder, "signature")
        signers.write_bytes(allowed_signers)
        proof.write_text(signature)
        found = process.run(["ssh-keygen", "-Y", "find-principals", "-f", str(signers), "-s", str(proof)], check=False)
        names = found.stdout.decode("utf-8", "replace").split("\n")
        for name in filter(None, names):
            words = ["ssh-keygen", "-Y", "verify", "-f", str(signers), "-I", name, "-n", namespace, "-s", str(proof)]
            if process.run(words, stdin=payload, check=False).code == 0:
                return _listed(principals(allowed_signers), name, key_of(signature))
    raise Refused(
        "signature.invalid",
        f"The signature is not by a key that may sign here ({namespace}).",
        "ecluse keys list shows who may; ecluse keys add NAME --role ROLE adds one",
    )


def fingerprint(principal: Principal) -> str:
    """The key's fingerprint as ``ssh-keygen -l`` prints it (``SHA256:…``)."""
    digest = hashlib.sha256(base64.b64decode(principal.key.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode("ascii").rstrip("=")


def key_of(signature: str) -> str:
    """The public key (``type base64``) that an armoured signature names; whether it made it, :func:`verify` says.

    Raises :class:`Refused` for bytes that are no signature.
    """
    body = "".join(line for line in signature.split("\n") if line and not line.startswith("-----"))
    try:
        blob = base64.b64decode(body, validate=True)
        size = int.from_bytes(blob[10:14], "big")  # SSHSIG, version, then the key as a counted string
        key = blob[14 : 14 + size]
        kind = key[4 : 4 + int.from_bytes(key[:4], "big")].decode("ascii")
        if blob[:6] != b"SSHSIG" or len(key) != size or not kind:
            raise ValueError("not an SSH signature")
    except ValueError as error:
        raise Refused(
            "signature.form",
            "These bytes are no OpenSSH signature.",
            "ssh-keygen -Y sign -n NAMESPACE -f KEY makes one",
        ) from error
    return f"{kind} {base64.b64encode(key).decode('ascii')}"


def _listed(known: list[Principal], name: str, key: str) -> Principal:
    """The line of this name and key: one name may have several keys."""
    named = [one for one in known if one.name == name]
    return next((one for one in named if one.key == key), named[0])


def is_key(kind: str, body: str) -> bool:
    """Whether these are the two words of a public key in OpenSSH's form: its type, which its body names too."""
    try:
        return kind.encode() in base64.b64decode(body, validate=True)
    except ValueError:
        return False


def _need_tool() -> None:
    if not available():
        raise process.missing_tool("ssh-keygen")
