"""What was parsed before: specs by generation and policy, checkpoints by text.

Both are frozen values made from text that cannot have changed (the API server counts spec changes in
`metadata.generation`), so a process that remembers them decides exactly as one that starts anew; it only spends half as
much time on it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from meshshift.api.convert import spec_from_wire, spec_hash, wire_spec_with_defaults
from meshshift.api.policies import Policy, with_policy
from meshshift.engine.checkpoint import Checkpoint, decode, encode
from meshshift.engine.world import Document, Key, key_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshshift.core.spec import ShiftSpec


@dataclass(frozen=True, slots=True)
class ParsedSpec:
    """A spec as the core knows it, its wire form with defaults, the hash that tells runs apart, and its policy."""

    spec: ShiftSpec
    wire: Mapping[str, Any]
    digest: str
    policy: Policy | None = None


@dataclass(frozen=True, slots=True)
class _Reading:
    """A spec as it was read at a version of its shift, with a policy."""

    version: tuple[str, int]
    policy: Policy | None
    parsed: ParsedSpec


@dataclass(slots=True)
class Memory:
    """Forget a key when its object is gone."""

    _specs: dict[Key, tuple[_Reading, ...]] = field(default_factory=dict)
    _checkpoints: dict[Key, tuple[str, Checkpoint]] = field(default_factory=dict)

    def spec_of(self, shift: Document, policy: Policy | None = None) -> ParsedSpec:
        """The shift's spec with what a policy adds to it; raises InvalidSpec."""
        key, metadata = key_of(shift), shift["metadata"]
        version = str(metadata.get("uid", "")), int(metadata.get("generation", 0))
        known = [each for each in self._specs.get(key, ()) if each.version == version]
        for each in known:
            if each.policy == policy:
                return each.parsed
        wire = with_policy(shift.get("spec") or {}, policy)
        full = wire_spec_with_defaults(wire)
        kept = policy.kept if policy else None
        parsed = ParsedSpec(spec_from_wire(wire, namespace=key[0]), full, spec_hash(full), kept)
        self._specs[key] = (_Reading(version, policy, parsed), *known[:1])
        return parsed

    def decode(self, key: Key, text: str | None) -> Checkpoint | None:
        """The checkpoint in the text, None if there is none; raises UnreadableCheckpoint."""
        if not text:
            return None
        known = self._checkpoints.get(key)
        if known and known[0] == text:
            return known[1]
        checkpoint = decode(text, key[0])
        self._checkpoints[key] = text, checkpoint
        return checkpoint

    def encode(self, key: Key, checkpoint: Checkpoint) -> str:
        """The checkpoint as text, remembered for when it is read back."""
        known = self._checkpoints.get(key)
        if known and known[1] is checkpoint:
            return known[0]
        text = encode(checkpoint)
        self._checkpoints[key] = text, checkpoint
        return text

    def forget(self, key: Key) -> None:
        """The object is gone."""
        self._specs.pop(key, None)
        self._checkpoints.pop(key, None)
