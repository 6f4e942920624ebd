"""What a service's TrafficShift remembers of versions, in annotations on it, and nowhere else.

Two questions cannot be answered by the mesh alone: has this version been tried before, and is it the same build still?
Everything else (who serves, what is under way) is read from the mesh and from the shift itself.

`meshshift.io/canary` is the version that is being shifted in (the subset may have another name), and
`meshshift.io/template` its fingerprint: the hashes of its pod templates.  `meshshift.io/added-subsets` are the subsets
that shifts have added to somebody else's DestinationRule, so that these can be taken out again and no others.
`meshshift.io/versions` tells of the others, `{"v3": {"templates": ["6d4f"], "fate": "rejected"}}`:

- *former* ones served, or were there when a shift was begun; they are not new, whatever becomes of their templates, or
  restarting an old Deployment would be a release.  They are forgotten when their last pod has gone, so that a version
  that is deployed again is new again;
- *superseded* ones gave way to a newer one before they were judged; they are new again with another template;
- *rejected* ones were taken back; they are new again only with another template, also after they had gone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from meshshift.core.mesh.documents import member

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from meshshift.core.enrolment.versions import Version

TEMPLATE = "meshshift.io/template"
VERSIONS = "meshshift.io/versions"
CANARY = "meshshift.io/canary"
ADDED = "meshshift.io/added-subsets"
MOST_REJECTED = 20
"""Rejected versions that are remembered, the latest ones."""


class Fate(StrEnum):
    """What became of a version."""

    FORMER = "former"
    SUPERSEDED = "superseded"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Known:
    """A version that is not new: the templates it was seen with, and what became of it."""

    templates: frozenset[str] = frozenset()
    fate: Fate = Fate.FORMER


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of versions: that of the present shift (`canary`, made from `templates`), and the others.

    `added` are the names of subsets that shifts of this service have put into a DestinationRule of somebody else.
    """

    canary: str = ""
    templates: frozenset[str] = frozenset()
    others: Mapping[str, Known] = field(default_factory=dict)
    added: frozenset[str] = frozenset()

    def knows(self, version: Version) -> bool:
        """Is nothing about the version new?"""
        known = self.others.get(version.name)
        return known is not None and (known.fate is Fate.FORMER or version.templates <= known.templates)

    def settled(self, fate: Fate | None) -> Record:
        """The record once the shift of `canary` is over, or was given up for another one; None: as if never begun."""
        over = replace(self, canary="", templates=frozenset())
        if fate is None or not self.canary:
            return over
        known = self.others.get(self.canary, Known())
        others = {name: each for name, each in self.others.items() if name != self.canary}
        return replace(over, others=others | {self.canary: Known(known.templates | self.templates, fate)})

    def noting(self, version: Version) -> Record:
        """With this version as one that is not new."""
        known = self.others.get(version.name, Known())
        joined = Known(known.templates | version.templates, known.fate)
        return replace(self, others={**self.others, version.name: joined})

    def forgetting(self, present: Collection[str]) -> Record:
        """Without the versions that have gone, and without the oldest of very many that were rejected."""
        gone = [name for name in self.others if name not in present]
        failed = [name for name in gone if self.others[name].fate is Fate.REJECTED]
        kept = {*present, *failed[-MOST_REJECTED:]}
        return replace(self, others={name: known for name, known in self.others.items() if name in kept})

    def beginning(self, version: Version) -> Record:
        """With this version as the one that is shifted in; that it was rejected before is kept, with its templates."""
        others = {
            name: known for name, known in self.others.items() if name != version.name or known.fate is Fate.REJECTED
        }
        return replace(self, canary=version.name, templates=version.templates, others=others)

    @property
    def annotations(self) -> dict[str, str]:
        """As it is written on the shift."""
        others = {
            name: {"templates": sorted(known.templates), "fate": str(known.fate)} for name, known in self.others.items()
        }
        return {
            CANARY: self.canary,
            TEMPLATE: " ".join(sorted(self.templates)),
            VERSIONS: json.dumps(others, separators=(",", ":")),
            ADDED: " ".join(sorted(self.added)),
        }


def read_record(annotations: Mapping[str, Any]) -> Record:
    """What the shift remembers; whatever somebody else wrote there and makes no sense counts as nothing."""
    texts = {name: value for name, value in annotations.items() if isinstance(value, str)}
    try:
        found = json.loads(texts.get(VERSIONS, "{}"))
    except ValueError:
        found = {}
    others = {name: _known(each) for name, each in found.items()} if isinstance(found, dict) else {}
    return Record(
        canary=texts.get(CANARY, ""),
        templates=frozenset(texts.get(TEMPLATE, "").split()),
        others=others,
        added=frozenset(texts.get(ADDED, "").split()),
    )


def _known(entry: object) -> Known:
    templates, fate = member(entry, "templates"), member(entry, "fate")
    listed = templates if isinstance(templates, list) else []
    known = frozenset(each for each in listed if isinstance(each, str))
    return Known(known, Fate(fate) if fate in set(Fate) else Fate.FORMER)
