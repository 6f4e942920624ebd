"""What an image stands for in the lab, so that `kubectl set image` brings another version that behaves in its own way.

No image is ever pulled: every container is the sample app (`app`).  The tag of the image `meshshift/sample` says how it
behaves, through the same environment variables; a variable that the container sets itself wins.

| tag | the version |
|---|---|
| `v1`, `v2`, `v4` and any other | good: 1 request in 1,000 fails, half take 5 ms, 1 in 100 takes 25 |
| `v3` | bad: 1 request in 10 fails |
| `v5` | slow: half of the requests take 100 ms, 1 in 100 takes 800 |
| `v6` | never becomes ready |

Other images, the sample mesh's `meshshift:latest` for instance, say nothing: their containers' variables are all.
"""

from __future__ import annotations

SAMPLE_IMAGE = "meshshift/sample"

_GOOD = {"ERROR_RATE": "0.001", "LATENCY_MS": "5", "LATENCY_P99_MS": "25"}
_OTHERWISE = {
    "v3": {"ERROR_RATE": "0.1"},
    "v5": {"LATENCY_MS": "100", "LATENCY_P99_MS": "800"},
    "v6": {"STARTUP_SECONDS": "86400"},
}


def image_environment(image: str) -> dict[str, str]:
    """The variables that an image brings along; none if it is not `meshshift/sample`, from whatever registry."""
    name, _, tag = image.partition("@")[0].rpartition(":")
    if name != SAMPLE_IMAGE and not name.endswith(f"/{SAMPLE_IMAGE}"):
        return {}
    return _GOOD | {"VERSION": tag} | _OTHERWISE.get(tag, {})
