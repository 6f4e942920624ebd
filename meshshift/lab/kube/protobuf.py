"""Reading the protobuf bodies that kubectl's typed commands send (`create deployment`, `auth can-i`, …).

kubectl's typed clients write protobuf and read JSON. Only their requests need decoding, and only for the kinds that
such commands create; the field numbers are those of `generated.proto` in k8s.io/api and k8s.io/apimachinery. A field
that is not in the tables is refused rather than lost.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from meshshift.lab.kube import errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshshift.lab.kube.documents import Document

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\x00"
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

# Message: "number:name:type ...". A type is text, int, count (zero means zero), bool, flag (false means false), bytes,
# port (int or string), quantity, skip, or a message; `*` repeats it, `%` makes it a map from text.
_META = "1:metadata:ObjectMeta"
MESSAGES: dict[str, str] = {
    "ObjectMeta": (
        "1:name:text 2:generateName:text 3:namespace:text 4:selfLink:text 5:uid:text 6:resourceVersion:text "
        "7:generation:int 8:creationTimestamp:skip 11:labels:%text 12:annotations:%text "
        "13:ownerReferences:*OwnerReference 14:finalizers:*text"
    ),
    "OwnerReference": (
        "1:kind:text 3:name:text 4:uid:text 5:apiVersion:text 6:controller:flag 7:blockOwnerDeletion:flag"
    ),
    "LabelSelector": "1:matchLabels:%text 2:matchExpressions:*LabelSelectorRequirement",
    "LabelSelectorRequirement": "1:key:text 2:operator:text 3:values:*text",
    "Namespace": f"{_META} 2:spec:NamespaceSpec 3:status:skip",
    "NamespaceSpec": "1:finalizers:*text",
    "ConfigMap": f"{_META} 2:data:%text 3:binaryData:%bytes 4:immutable:flag",
    "Secret": f"{_META} 2:data:%bytes 3:type:text 4:stringData:%text 5:immutable:flag",
    "ServiceAccount": f"{_META} 4:automountServiceAccountToken:flag",
    "Service": f"{_META} 2:spec:ServiceSpec 3:status:skip",
    "ServiceSpec": (
        "1:ports:*ServicePort 2:selector:%text 3:clusterIP:text 4:type:text 5:externalIPs:*text 7:sessionAffinity:text "
        "8:loadBalancerIP:text 9:loadBalancerSourceRanges:*text 10:externalName:text 11:externalTrafficPolicy:text "
        "12:healthCheckNodePort:int 13:publishNotReadyAddresses:bool 17:ipFamilyPolicy:text 18:clusterIPs:*text "
        "19:ipFamilies:*text 20:allocateLoadBalancerNodePorts:flag 21:loadBalancerClass:text "
        "22:internalTrafficPolicy:text 23:trafficDistribution:text"
    ),
    "ServicePort": "1:name:text 2:protocol:text 3:port:int 4:targetPort:port 5:nodePort:int 6:appProtocol:text",
    "Deployment": f"{_META} 2:spec:DeploymentSpec 3:status:skip",
    "DeploymentSpec": (
        "1:replicas:count 2:selector:LabelSelector 3:template:PodTemplateSpec 4:strategy:DeploymentStrategy "
        "5:minReadySeconds:int 6:revisionHistoryLimit:count 7:paused:bool 9:progressDeadlineSeconds:count"
    ),
    "DeploymentStrategy": "1:type:text",
    "PodTemplateSpec": f"{_META} 2:spec:PodSpec",
    "Pod": f"{_META} 2:spec:PodSpec 3:status:skip",
    "PodSpec": (
        "2:containers:*Container 3:restartPolicy:text 4:terminationGracePeriodSeconds:count 6:dnsPolicy:text "
        "7:nodeSelector:%text 8:serviceAccountName:text 9:serviceAccount:text 10:nodeName:text 11:hostNetwork:bool "
        "12:hostPID:bool 13:hostIPC:bool 14:securityContext:skip 16:hostname:text 17:subdomain:text "
        "19:schedulerName:text 20:initContainers:*Container 24:priorityClassName:text"
    ),
    "Container": (
        "1:name:text 2:image:text 3:command:*text 4:args:*text 5:workingDir:text 6:ports:*ContainerPort 7:env:*EnvVar "
        "8:resources:ResourceRequirements 9:volumeMounts:*VolumeMount 13:terminationMessagePath:text "
        "14:imagePullPolicy:text 16:stdin:bool 17:stdinOnce:bool 18:tty:bool 20:terminationMessagePolicy:text"
    ),
    "ContainerPort": "1:name:text 2:hostPort:int 3:containerPort:int 4:protocol:text 5:hostIP:text",
    "EnvVar": "1:name:text 2:value:text",
    "ResourceRequirements": "1:limits:%quantity 2:requests:%quantity",
    "VolumeMount": "1:name:text 2:readOnly:bool 3:mountPath:text 4:subPath:text",
    "Role": f"{_META} 2:rules:*PolicyRule",
    "ClusterRole": f"{_META} 2:rules:*PolicyRule",
    "RoleBinding": f"{_META} 2:subjects:*Subject 3:roleRef:RoleRef",
    "ClusterRoleBinding": f"{_META} 2:subjects:*Subject 3:roleRef:RoleRef",
    "PolicyRule": "1:verbs:*text 2:apiGroups:*text 3:resources:*text 4:resourceNames:*text 5:nonResourceURLs:*text",
    "Subject": "1:kind:text 2:apiGroup:text 3:name:text 4:namespace:text",
    "RoleRef": "1:apiGroup:text 2:kind:text 3:name:text",
    "SelfSubjectReview": f"{_META} 2:status:skip",
    "SelfSubjectAccessReview": f"{_META} 2:spec:AccessSpec 3:status:skip",
    "AccessSpec": "1:resourceAttributes:ResourceAttributes 2:nonResourceAttributes:NonResourceAttributes",
    "ResourceAttributes": (
        "1:namespace:text 2:verb:text 3:group:text 4:version:text 5:resource:text 6:subresource:text 7:name:text"
    ),
    "NonResourceAttributes": "1:path:text 2:verb:text",
    "SelfSubjectRulesReview": f"{_META} 2:spec:RulesSpec 3:status:skip",
    "RulesSpec": "1:namespace:text",
}

FIELDS: dict[str, dict[int, tuple[str, str]]] = {
    message: {int(number): (name, kind) for number, name, kind in (field.split(":") for field in fields.split())}
    for message, fields in MESSAGES.items()
}


def decode(raw: bytes) -> Document:
    """Decode a body: the magic number, then a `runtime.Unknown` with the type and the encoded object.

    Raises:
        StatusError: 415 for a kind or field that is not in the tables, 400 for bytes that are no protobuf.
    """
    if not raw.startswith(MAGIC):
        raise errors.bad_request("the protobuf object does not start with the expected magic number")
    try:
        unknown = dict(_fields(raw[len(MAGIC) :]))
        about = dict(_fields(bytes(unknown.get(1, b""))))
        api_version, kind = bytes(about[1]).decode(), bytes(about[2]).decode()
        body = _message(bytes(unknown.get(2, b"")), kind)
    except (IndexError, KeyError, UnicodeDecodeError, TypeError) as error:
        raise errors.bad_request(f"the protobuf object cannot be decoded: {error!r}") from error
    return {"apiVersion": api_version, "kind": kind, **body}


def _fields(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    place = 0
    while place < len(raw):
        tag, place = _varint(raw, place)
        number, wire = tag >> 3, tag & 7
        if wire == VARINT:
            value, place = _varint(raw, place)
            yield number, value
        else:
            if wire == BYTES:
                length, place = _varint(raw, place)
            else:
                length = {FIXED64: 8, FIXED32: 4}[wire]
            yield number, raw[place : place + length]
            place += length


def _varint(raw: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = raw[place]
        place += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, place


def _message(raw: bytes, message: str) -> Document:
    known = FIELDS.get(message)
    if known is None:
        raise errors.unsupported_media_type(["application/json", "application/yaml"])
    document: Document = {}
    for number, value in _fields(raw):
        if number not in known:
            if value in {0, b""}:
                continue
            raise errors.unsupported_media_type([f"application/json (field {number} of {message} as protobuf is not)"])
        name, kind = known[number]
        _put(document, name, kind, value)
    return document


def _put(document: Document, name: str, kind: str, value: int | bytes) -> None:
    if kind == "skip":
        return
    if kind[0] == "*":
        document.setdefault(name, []).append(_value(kind[1:], value))
    elif kind[0] == "%":
        entry = dict(_fields(_as_bytes(value)))
        document.setdefault(name, {})[_as_bytes(entry[1]).decode()] = _value(kind[1:], entry.get(2, b""))
    else:
        decoded = _value(kind, value)
        if decoded or kind in {"count", "flag", "port"}:
            document[name] = decoded


def _value(kind: str, value: int | bytes) -> Any:
    if kind in {"int", "count"}:
        return value if isinstance(value, int) else 0
    if kind in {"bool", "flag"}:
        return bool(value)
    raw = _as_bytes(value)
    if kind == "text":
        return raw.decode()
    if kind == "bytes":
        return base64.b64encode(raw).decode()
    if kind == "quantity":
        return _as_bytes(dict(_fields(raw)).get(1, b"")).decode()
    if kind == "port":
        port = dict(_fields(raw))
        return _as_bytes(port.get(3, b"")).decode() if port.get(1) else port.get(2, 0)
    return _message(raw, kind)


def _as_bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise TypeError("a number where text or a message belongs")
    return value
