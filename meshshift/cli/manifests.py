"""Manifests from files, directories and standard input: every document that a shift is made of, and where it stood.

Documents share no parts, whatever anchors and aliases the file has.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from meshshift.api.wire import OBJECT_NAME, PATTERN_HINTS, is_object_name
from meshshift.cli.yaml_documents import yaml_documents
from meshshift.core.mesh.documents import Document, ObjectRef, member, ref_of, shown, text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from meshshift.cli.flags import Option

KINDS = {
    "TrafficShift": "meshshift.io",
    "ShiftPolicy": "meshshift.io",
    "VirtualService": "networking.istio.io",
    "DestinationRule": "networking.istio.io",
    "Service": "",
}
"""The kinds that are looked at, and their API groups; everything else is passed over."""

_STDIN = "-"
_SUFFIXES = {".yaml", ".yml", ".json"}

MANIFESTS: tuple[Option, ...] = (
    click.option(
        "-f",
        "--filename",
        "filenames",
        multiple=True,
        required=True,
        type=click.Path(exists=True, allow_dash=True),
        help="A file, a directory (with all below it), or - for standard input; may be repeated.",
    ),
    click.option(
        "-n",
        "--namespace",
        default="default",
        show_default=True,
        help="Namespace of the documents that name none.",
    ),
    click.option("--cluster-domain", default="cluster.local", show_default=True, help="The cluster's DNS domain."),
)
"""The flags that say which documents are meant."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """One document and the file that holds it."""

    file: str
    ref: ObjectRef
    document: Document


def read_manifests(filenames: Iterable[str], namespace: str, kinds: Collection[str] = KINDS) -> tuple[Manifest, ...]:
    """All documents of these KINDS, in the order given; those without a namespace are put into `namespace`.

    Raises ClickException that names the file and the place if something cannot be read.
    """
    files = dict.fromkeys(file for name in filenames for file in _files(name))
    return tuple(manifest for file in files for manifest in _read(file, namespace, kinds))


def repeated(manifests: Iterable[Manifest]) -> dict[ObjectRef, str]:
    """The objects that stand more than once in the set, with a sentence about each."""
    listed = list(manifests)
    counts = Counter(manifest.ref for manifest in listed)
    return {
        ref: f"{ref} is there {count} times ({', '.join(each.file for each in listed if each.ref == ref)}); "
        "only the last one applied would count, give one of them"
        for ref, count in counts.items()
        if count > 1
    }


def _files(name: str) -> list[str]:
    path = Path(name)
    if name == _STDIN or not path.is_dir():
        return [name]
    return sorted(str(each) for each in path.rglob("*") if each.suffix in _SUFFIXES and each.is_file())


def _read(file: str, namespace: str, kinds: Collection[str]) -> Iterator[Manifest]:
    for document in _items(yaml_documents(file)):
        if isinstance(document, dict) and _is_known(document) and document["kind"] in kinds:
            yield _manifest(file, document, namespace)


def _items(documents: Iterable[object]) -> Iterator[Any]:
    """Each document, or the items of a list of objects (`kubectl get -o yaml`)."""
    for document in documents:
        listed = member(document, "items")
        yield from listed if isinstance(listed, list) else [document]


def _is_known(document: dict[str, Any]) -> bool:
    kind, version = text(document.get("kind")), text(document.get("apiVersion"))
    return kind in KINDS and (not version or version.rpartition("/")[0] == KINDS[kind])


def _manifest(file: str, written: dict[str, Any], namespace: str) -> Manifest:
    kind = written["kind"]
    try:
        document: Document = json.loads(json.dumps(written, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise click.ClickException(f"{file}: a {kind} holds a value that JSON does not know: {error}") from error
    name, written_namespace = member(document, "metadata", "name"), member(document, "metadata", "namespace")
    if not text(name):
        raise click.ClickException(f"{file}: a {kind} has the metadata.name {shown(name)}; give it a name")
    document["metadata"]["namespace"] = namespace if written_namespace in (None, "") else written_namespace
    for field in ("name", "namespace"):
        value = document["metadata"][field]
        if not is_object_name(value):
            hint = PATTERN_HINTS[OBJECT_NAME]
            raise click.ClickException(f"{file}: a {kind} has the metadata.{field} {shown(value)}; {hint}")
    return Manifest(file, ref_of(document, kind), document)
