"""Ways to bring a version live: a folder here or on hosts, docker compose, a command of the user's own.

Each way is a :class:`~ecluse.release.deploy.carrier.Carrier`: bring, go back, stop, look. ``host`` is the only place
that knows how a command reaches a host.
"""

from __future__ import annotations

from ecluse.release.deploy.carrier import Carrier, carrier_of

__all__ = ["Carrier", "carrier_of"]
