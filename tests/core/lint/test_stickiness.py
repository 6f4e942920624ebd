from __future__ import annotations

from meshshift.core.lint import stickiness
from meshshift.core.lint.findings import Severity
from meshshift.core.mesh.stickiness import Stickiness
from meshshift.core.spec import Analyse, Pause, SetWeight
from tests.core.lint.samples import routed, said, shift, sound, to

STICKY = Stickiness("version", 600)
SHARED = routed({"name": "default", "route": [to("v1", 80), to("v2", 0), to(weight=20, host="legacy")]})


def test_a_route_that_cannot_keep_users_is_an_error_in_the_controllers_words() -> None:
    manifests = sound(shifts=(shift(stickiness=STICKY),), virtual_services=(SHARED,))
    severity, about, message = said(stickiness.cannot_stick, manifests)
    assert (severity, about) == (Severity.ERROR, "TrafficShift bookinfo/reviews")
    assert message.startswith(
        'spec.stickiness: VirtualService bookinfo/reviews route "default" gives other destinations'
    )
    assert not list(stickiness.cannot_stick(sound(virtual_services=(SHARED,))))
    assert not list(stickiness.cannot_stick(sound(shifts=(shift(stickiness=STICKY),))))
    assert not list(stickiness.cannot_stick(sound(shifts=(shift(stickiness=STICKY),), virtual_services=())))


def test_a_cookie_that_expires_before_the_steps_can_be_over_is_told() -> None:
    steps = (Pause(900.0), SetWeight(5), Pause(None), Pause(300.0), SetWeight(50), Analyse(200.0), SetWeight(100))
    long = shift(steps=steps, min_step=60.0, stickiness=STICKY)
    severity, about, message = said(stickiness.cookie_expires, sound(shifts=(long,)))
    assert (severity, about) == (Severity.WARNING, "TrafficShift bookinfo/reviews")
    assert message.startswith("spec.stickiness.maxAge is 600 s, and the steps take 620 s at the least")
    enough = shift(steps=steps, min_step=50.0, stickiness=STICKY)
    assert not list(stickiness.cookie_expires(sound(shifts=(enough,))))
    assert not list(stickiness.cookie_expires(sound(shifts=(shift(steps=steps, min_step=60.0),))))
