"""Istio's HTTPMatchRequest to Envoy's RouteMatch (route.go: TranslateRouteMatch, Istio 1.32)."""

from __future__ import annotations

from typing import Any

Message = dict[str, Any]

_KINDS = {"exact": "exact", "prefix": "prefix", "regex": "safe_regex"}


def route_match(request: Message | None) -> Message:
    """The match of one route; None or an empty request matches everything."""
    if not request:
        return {"prefix": "/"}
    out: Message = {**_path(request.get("uri")), "case_sensitive": not request.get("ignoreUriCase", False)}
    headers = [_header(name, match) for name, match in (request.get("headers") or {}).items()]
    headers += [_without_header(name, match) for name, match in (request.get("withoutHeaders") or {}).items()]
    headers.sort(key=lambda header: str(header["name"]))
    for field in ("method", "authority", "scheme"):
        if request.get(field):
            headers.append(_header(f":{field}", request[field]))
    if headers:
        out["headers"] = headers
    parameters = [_query_parameter(name, match) for name, match in sorted((request.get("queryParams") or {}).items())]
    if parameters:
        out["query_parameters"] = parameters
    return out


def matches_everything(match: Message) -> bool:
    """Whether no request passes this match by; routes behind such a one are never reached (IsCatchAllRoute)."""
    anything = match.get("prefix") == "/" or (match.get("safe_regex") or {}).get("regex") == ".*"
    return anything and not match.get("headers") and not match.get("query_parameters")


def applies_to_sidecar(request: Message | None, *, port: int, labels: Message, namespace: str) -> bool:
    """Whether the match can hold at this client at all: its port, gateways, source labels and source namespace."""
    if not request:
        return True
    if request.get("port") and int(request["port"]) != port:
        return False
    if request.get("gateways"):
        return "mesh" in request["gateways"]
    wanted = request.get("sourceLabels") or {}
    return wanted.items() <= labels.items() and request.get("sourceNamespace", namespace) in {"", namespace}


def _path(uri: Message | None) -> Message:
    if not uri:
        return {"prefix": "/"}
    if "exact" in uri:
        return {"path": uri["exact"]}
    if "regex" in uri:
        return {"safe_regex": {"regex": uri["regex"]}}
    return {"prefix": uri.get("prefix", "/")}


def _string_match(match: Message | None) -> Message | None:
    """Envoy's StringMatcher; None where Istio means "is there": nothing said, or the regex `*`."""
    for kind, envoy in _KINDS.items():
        if match and match.get(kind) is not None:
            if kind == "regex" and match[kind] == "*":
                return None
            return {envoy: {"regex": match[kind]} if kind == "regex" else match[kind]}
    return None


def _header(name: str, match: Message | None) -> Message:
    text = _string_match(match)
    return {"name": name, "present_match": True} if text is None else {"name": name, "string_match": text}


def _without_header(name: str, match: Message | None) -> Message:
    header = _header(name, match)
    header["invert_match"] = True
    if "string_match" in header:
        header["treat_missing_header_as_empty"] = True
    return header


def _query_parameter(name: str, match: Message | None) -> Message:
    text = _string_match(match)
    return {"name": name, "present_match": True} if text is None else {"name": name, "string_match": text}
