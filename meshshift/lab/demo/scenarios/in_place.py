"""One Deployment whose image is changed: each version is tried out on a copy before the Deployment rolls it out."""

from __future__ import annotations

from meshshift.lab.demo.scenarios import annotated
from meshshift.lab.demo.story import OptIn, Scenario

SCENARIO = Scenario(
    "in-place",
    "one Deployment gets new images, by kubectl set image: good, bad, and good again",
    annotated.acts("sets anything but its image (the copy that is tried is canary, whoever serves is stable)"),
    opt_in=OptIn({**annotated.ANNOTATIONS, "workload": "in-place"}, annotated.POLICY),
)
