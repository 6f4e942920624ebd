"""Query templates: a user's PromQL with variables, and the text that is asked.

The template is the user's own and may say anything.  What is put into it comes from elsewhere (names of pods' owners,
labels), so a value must stay a value: within a quoted PromQL string it cannot end the string, whichever quotes the user
chose, and within a regular expression a name matches only itself.  Letters, digits, `_`, `-` and `.` are put in as they
are, which is all that Kubernetes allows in names; anything else becomes an escape that PromQL reads in "…" and '…', and
that merely matches nothing in `…`, where PromQL knows no escapes.
Source: strutil.Unquote of Prometheus, and RE2's syntax for regular expressions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

VARIABLES = {
    "canary": "name of the canary's subset",
    "stable": "name of the stable subset",
    "control": "name of the subset that the canary is compared with: the baseline's, without one stable's",
    "canaryWorkload": "regular expression that matches the canary's workloads as Istio names them; use it with =~",
    "stableWorkload": "the same for the stable subset",
    "controlWorkload": "the same for the subset that the canary is compared with",
    "service": "name of the Service",
    "namespace": "namespace of the Service",
    "host": "host of the Service in the mesh, such as reviews.bookinfo.svc.cluster.local",
    "interval": "analysis.interval as a duration of Prometheus, such as 15s",
}
"""Every variable and its meaning, as the reference shows them."""


def listed(names: Iterable[str]) -> str:
    """The variables as a user writes them."""
    return ", ".join(f"{{{{{name}}}}}" for name in names)


def use_of(names: Iterable[str]) -> str:
    """A regular expression for one use of one of the variables; its only group is the name."""
    return rf"\{{\{{ *({'|'.join(names)}) *\}}\}}"


def pattern_of(names: Iterable[str]) -> str:
    """What a template looks like in which every `{{` begins one of the variables; RE2 and Python read it alike."""
    return rf"^([^{{]|{use_of(names)}|\{{[^{{])*\{{?$"


KNOWN = listed(VARIABLES)
PATTERN = pattern_of(VARIABLES)
_USE = use_of(VARIABLES)

_PLAIN = re.compile(r"[A-Za-z0-9_.-]")
_PLAIN_IN_EXPRESSION = re.compile(r"[A-Za-z0-9_-]")


@dataclass(frozen=True, slots=True)
class Facts:
    """What the variables stand for; `interval` in seconds, the workloads as Istio reports them.

    `baseline` is empty where the canary is compared with stable.
    """

    canary: str
    stable: str
    canary_workloads: frozenset[str]
    stable_workloads: frozenset[str]
    service: str
    namespace: str
    host: str
    interval: float
    baseline: str = ""
    baseline_workloads: frozenset[str] = frozenset()


class Unknown(ValueError):
    """A variable has no value at present; the message says which and why."""


def is_sound(template: str) -> bool:
    """Does every `{{` in the template begin a variable that exists?"""
    return re.fullmatch(PATTERN[1:-1], template) is not None


def render(template: str, facts: Facts) -> str:
    """The PromQL to ask; raises Unknown if the template needs the workloads of a subset without pods.

    An empty expression would match every series without the label, so it is never put in.
    """
    return re.sub(_USE, lambda found: _value(found.group(1), facts), template)


def _value(name: str, facts: Facts) -> str:
    match name:
        case "canaryWorkload":
            return _alternation(name, "canary", facts.canary_workloads)
        case "stableWorkload":
            return _alternation(name, "stable", facts.stable_workloads)
        case "controlWorkload" if facts.baseline:
            return _alternation(name, "baseline", facts.baseline_workloads)
        case "controlWorkload":
            return _alternation(name, "stable", facts.stable_workloads)
        case "control":
            return _quoted(facts.baseline or facts.stable)
        case "interval":
            return _duration(facts.interval)
    return _quoted(str(getattr(facts, name)))


def _quoted(value: str) -> str:
    return "".join(char if _PLAIN.fullmatch(char) else _escape(char) for char in value)


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x80 else f"\\U{code:08x}"


def _alternation(variable: str, arm: str, workloads: frozenset[str]) -> str:
    if not workloads:
        raise Unknown(f"{listed([variable])} has no value: the {arm} subset has no pods")
    return f"({'|'.join(map(_literal, sorted(workloads)))})"


def _literal(name: str) -> str:
    """A name that matches itself; `[.]` reads the same in every kind of PromQL string, a backslash does not."""
    return "".join(_literal_character(char) for char in name)


def _literal_character(char: str) -> str:
    if _PLAIN_IN_EXPRESSION.fullmatch(char):
        return char
    return "[.]" if char == "." else f"\\\\x{{{ord(char):x}}}"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f}s" if float(seconds).is_integer() else f"{seconds * 1000:.0f}ms"
