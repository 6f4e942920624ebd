from __future__ import annotations

import pytest

from meshshift.lab.app import Behaviour
from meshshift.lab.images import image_environment
from meshshift.lab.probes import container_environment


@pytest.mark.parametrize(
    ("tag", "error_rate", "latency_ms"), [("v1", 0.001, 5), ("v3", 0.1, 5), ("v5", 0.001, 100), ("2026-11", 0.001, 5)]
)
def test_a_tag_is_a_version_that_behaves_in_its_own_way(tag: str, error_rate: float, latency_ms: float) -> None:
    variables = image_environment(f"registry.example.com:5000/meshshift/sample:{tag}")
    assert variables["VERSION"] == tag
    behaviour = Behaviour.from_environment(variables)
    assert (behaviour.error_rate, behaviour.latency_ms) == (error_rate, latency_ms)


@pytest.mark.parametrize("image", ["meshshift:latest", "meshshift/sample", "other/sample:v3", "meshshift/sampler:v3"])
def test_other_images_say_nothing(image: str) -> None:
    assert image_environment(image) == {}


def test_what_the_container_says_itself_wins() -> None:
    container = {"image": "meshshift/sample:v3", "env": [{"name": "ERROR_RATE", "value": "0"}]}
    variables = container_environment(container, "reviews-1", "bookinfo", "127.0.0.2")
    assert variables["VERSION"] == "v3"
    assert Behaviour.from_environment(variables).error_rate == 0
