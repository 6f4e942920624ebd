"""How a call to the Kubernetes API can fail, as the engine needs to tell it apart.

Adapters translate their library's exceptions into exactly these four, because each asks for another reaction:
a conflict is answered by looking again, a transient failure by waiting, a missing object by the rules, and a refusal by
telling the user, since repeating it cannot help.
"""

from __future__ import annotations


class ApiFailure(Exception):
    """A call to the Kubernetes API that did not do what was asked; the message is fit for a status condition."""


class Conflict(ApiFailure):
    """The object is not what the caller believed it to be (409, or a JSON Patch `test` that failed: 422)."""


class NotFound(ApiFailure):
    """The object, or its kind, does not exist (404)."""


class Transient(ApiFailure):
    """Worth repeating: throttled (429), server error (5xx), timed out, or no answer.

    The write may or may not have been carried out; only looking again can tell.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        """Keep the server's Retry-After, in seconds, if it gave one."""
        super().__init__(message)
        self.retry_after = retry_after


class Refused(ApiFailure):
    """The API server will not do this however often it is asked (400, 401, 403, 405, 415, 422)."""
