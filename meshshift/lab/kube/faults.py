"""Faults on purpose: what a controller has to survive, injected at the API server's door.

A test installs one async function; it is asked before a request is carried out and again before its answer is sent.
The second is the interesting one: the write happened, and the client does not learn of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class InterceptedRequest:
    """A request as a fault plan sees it.

    Attributes:
        phase: `before` it is carried out, or `after`, when its answer is about to be sent (watches have no after).
        verb: get, list, watch, create, update, patch, delete or deletecollection.
        group: the API group; empty for the core group.
        resource: the plural name.
        subresource: `status`, `scale` or empty.
        namespace: empty for cluster-scoped resources and requests across namespaces.
        name: empty for collections.
    """

    phase: Literal["before", "after"]
    verb: str
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong.

    Attributes:
        delay: seconds to wait first.
        status: the HTTP status to answer with instead; 0 for none.
        reason: the Status reason, such as `TooManyRequests`.
        message: the Status message.
        retry_after: seconds for a Retry-After header.
        reset: break the connection instead of answering.
    """

    delay: float = 0.0
    status: int = 0
    reason: str = "InternalError"
    message: str = "a fault injected by a test"
    retry_after: int | None = None
    reset: bool = False


Interceptor = Callable[[InterceptedRequest], Awaitable[Fault | None]]


@dataclass(slots=True)
class FaultPlan:
    """Where a test hangs its interceptor; without one nothing goes wrong.

    Attributes:
        intercept: is asked about every request.
        silent: plural names of resources whose open watches lose every line, as on a connection that died half-way.
            One that has lost a line stays silent for good; a watch that is opened later speaks.
    """

    intercept: Interceptor | None = None
    silent: set[str] = field(default_factory=set)
