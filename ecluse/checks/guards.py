"""Which jobs of a run may start as far as concurrency groups go, and which ones lost the group they held."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ecluse.checks.concurrency import Claim, Gate
from ecluse.checks.jobs import Instance
from ecluse.checks.nodes import Node, is_inside
from ecluse.clock import instant

Tell = Callable[[dict[str, object]], None]


class Guards:
    """The groups of one run: those of its workflows and calls (spaces), and those of single jobs (seats).

    ``owner`` is the repository whose groups they are. Used by the thread that starts jobs only.
    """

    def __init__(self, owner: str, tell: Tell) -> None:
        self.owner = owner
        self.tell = tell
        self.spaces: dict[str, Gate] = {}
        self.seats: dict[str, tuple[Gate, Instance]] = {}
        self.cut: dict[str, str] = {}

    def guard(self, space: str, claims: Iterable[Claim | None]) -> None:
        """Let the jobs of a workflow, or of a call, start only while the groups it names are held."""
        wanted = [claim for claim in claims if claim is not None]
        if wanted:
            self.spaces[space] = self._gate(wanted, space)

    def seat(self, instance: Instance, claim: Claim | None, space: str) -> None:
        """Let one job start only while it holds its own group."""
        if claim is not None:
            self.seats[instance.key] = (self._gate([claim], space), instance)

    def _gate(self, claims: list[Claim], space: str) -> Gate:
        around = [gate for held, gate in self.spaces.items() if is_inside(space, held)]
        return Gate(self.owner, claims, [group for gate in around for group in gate.groups])

    def look(self, nodes: Iterable[Node]) -> list[tuple[Node, str, bool]]:
        """Take the groups whose turn has come and give back what is done with.

        Returns the jobs of workflows and calls that just lost their group: why, and whether they ever held it.
        """
        lost: list[tuple[Node, str, bool]] = []
        nodes = list(nodes) if self.spaces else []
        for space, gate in list(self.spaces.items()):
            inside = [node for node in nodes if node.space == space]
            if all(node.result is not None for node in inside):
                self.spaces.pop(space).release()
            elif not gate.poll() and gate.reason and space not in self.cut:
                self.cut[space] = gate.reason
                lost += [(node, gate.reason, gate.was_open) for node in inside]
            self._announce(space, gate)
        for gate, instance in list(self.seats.values()):
            self._may_sit(gate, instance)
            self._announce(instance.key, gate)
        return lost

    def next_instance(self, node: Node) -> Instance | None:
        """An instance that may start now: a place is free, and it holds the group that its job names."""
        if node.running >= node.max_parallel:
            return None
        for instance in node.waiting:
            seat = self.seats.get(instance.key)
            if seat is None or self._may_sit(*seat) or instance.cancelled.is_set():
                return instance
        return None

    def is_open(self, space: str) -> bool:
        """Whether jobs of a workflow or call may start."""
        gate = self.spaces.get(space)
        return gate is None or gate.was_open

    def why_cut(self, space: str) -> str:
        """Why a workflow or call, or one around it, lost its group; empty when none did."""
        return next((why for lost, why in self.cut.items() if is_inside(space, lost)), "")

    @property
    def is_watching(self) -> bool:
        """Whether there is any group to look at again soon."""
        return bool(self.spaces or self.seats)

    @property
    def is_waiting(self) -> bool:
        """Whether something waits for a group that others hold."""
        return any(not gate.was_open and not gate.reason for gate in self._gates())

    def leave(self, instance: Instance) -> None:
        """Give back the group of a job that is over."""
        seat = self.seats.pop(instance.key, None)
        if seat is not None:
            seat[0].release()

    def close(self) -> None:
        """Give back everything."""
        for gate in self._gates():
            gate.release()

    def _gates(self) -> list[Gate]:
        return [*self.spaces.values(), *(gate for gate, _ in self.seats.values())]

    def _may_sit(self, gate: Gate, instance: Instance) -> bool:
        """Whether an instance has held its group; one that never will, or no longer does, is cancelled."""
        if not gate.poll() and gate.reason and not instance.cancelled.reason:
            instance.cancelled.reason = gate.reason
            instance.cancelled.set()
        return gate.was_open

    def _announce(self, who: str, gate: Gate) -> None:
        if not gate.was_open and not gate.reason and not gate.is_announced:
            gate.is_announced = True
            self.tell({"event": "waiting", "at": instant(), "who": who, "groups": list(gate.groups)})
