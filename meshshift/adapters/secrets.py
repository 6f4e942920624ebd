"""Values that users keep in Secrets, read when they are needed and never kept.

What is wrong with one is told to whoever wrote its name, in words that show nothing of what is there.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from meshshift.adapters.kube import SECRETS
from meshshift.core.notices import SecretKey, Value
from meshshift.engine.failures import ApiFailure, NotFound, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshshift.adapters.kube import KubeClient

LINE = "one line of printable ASCII"
"""What fits into a header, in words."""


class Unusable(Exception):
    """What should be in a Secret is not; the message says what to do and shows nothing that is there."""


async def read_value(client: KubeClient, namespace: str, value: Value, fits: Callable[[str], bool], wanted: str) -> str:
    """The value itself, or what the entry of a Secret in `namespace` says, without the line break that editors leave.

    Raises Unusable, unless what is in the Secret `fits`; `wanted` says in words what would.
    """
    if not isinstance(value, SecretKey):
        return value
    secret = f"Secret {namespace}/{value.name}"
    try:
        document = await client.get(SECRETS, namespace, value.name)
    except NotFound:
        raise Unusable(f"there is no {secret}; create it with an entry {value.key}") from None
    except Refused:
        raise Unusable(f"{secret} may not be read; allow the controller to get it, by a Role") from None
    except ApiFailure as failure:
        raise Unusable(f"{secret} could not be read: {type(failure).__name__}") from None
    text = _decoded((document.get("data") or {}).get(value.key))
    if text is None:
        raise Unusable(f"{secret} has no entry {value.key}; add it")
    if not fits(text):
        raise Unusable(f"the entry {value.key} of {secret} is not {wanted}; change it")
    return text


def _decoded(data: object) -> str | None:
    """An entry of a Secret as text; None if there is no text."""
    if not isinstance(data, str):
        return None
    try:
        return base64.b64decode(data, validate=True).decode().strip()
    except (binascii.Error, UnicodeDecodeError):
        return None
