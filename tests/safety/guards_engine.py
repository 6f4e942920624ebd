"""Interruption, errors of the API, and caches that are behind."""

from __future__ import annotations

from tests.safety.guard import Guard, at, drift

RECONCILE = "meshshift/engine/reconcile.py"
RUN = "meshshift/core/run.py"
KUBE = "meshshift/adapters/kube.py"
WORLD = "meshshift/engine/world.py"
WATCHES = "meshshift/operator/watches.py"
LISTS = "meshshift/operator/lists.py"

_PERSIST = """\
        shift = await self._persist(shift, previous, observation, decision, checkpoint, now)
        self.journal.decided(key, shift, observation, decision)
"""
_WRITE = """\
        try:
            await self._write_all(decision, lambda: _is_overtaken(observation, subject, self.world))
        except Refused as refusal:
            return await self._tell_refusal(key, shift, observation, decision, checkpoint, refusal)
"""


def _dying(story: str, moment: str = "before") -> tuple[str, ...]:
    return at("engine/test_interruption.py", f"dying_at_any_call_comes_to_the_same_end[{story}-{moment}]")


def _kube(*names: str) -> tuple[str, ...]:
    return at("adapters/test_kube.py", *names)


INTERRUPTION = (
    Guard(
        "not-overtaken",
        "What vanishes while the intent is persisted gets no more weight.",
        RECONCILE,
        "            if decision.kind not in {Kind.RESTORE, Kind.END} and is_overtaken():\n",
        "            if False:\n",
        at("engine/test_make_before_break.py", "what_vanishes_while_the_intent_is_persisted_gets_no_more_weight"),
    ),
    Guard(
        "intent-before-act",
        "What a pass is about to do is persisted before the mesh is written (ADR 0001).",
        RECONCILE,
        _PERSIST + _WRITE,
        _WRITE + _PERSIST,
        _dying("rollback of an added subset"),
    ),
    Guard(
        "intent-survives",
        "The weight that was decided survives the process: what is found after a restart is told from a hand edit.",
        RUN,
        "return replace(entered, desired=percent, ",
        "return replace(entered, desired=percent, confirmed=percent, ",
        _dying("promotion"),
    ),
    Guard(
        "confirm-skips",
        "Data from before a weight was seen in the mesh is never counted for it.",
        RUN,
        "evidence = self.evidence.skip_to(now)",
        "evidence = self.evidence",
        at("engine/test_current_evidence.py", "what_was_counted_before_a_weight_was_in_the_mesh_is_not_looked_at"),
    ),
    Guard(
        "confirm-resets-deficit",
        "Requests that the canary lacked under the old weight are not held against it under the new one.",
        RUN,
        "weight_since=now, evidence=evidence, deficit=self.deficit.anew())",
        "weight_since=now, evidence=evidence)",
        at("engine/test_current_evidence.py", "what_was_counted_before_a_weight_was_in_the_mesh_is_not_looked_at"),
    ),
    Guard(
        "deficit-while-applied",
        "A canary is blamed for missing requests only while the mesh is known to send them.",
        "meshshift/core/rules.py",
        " if run.applied else (run.deficit, tick)",
        "",
        drift("what_is_lost_under_somebody_elses_weights_is_not_the_canarys"),
    ),
    Guard(
        "settle-persisted",
        "A settling time that was interrupted is waited for in full.",
        "meshshift/core/preparing.py",
        "    if run.settle_until is None:\n",
        "    if False:\n",
        at("engine/test_make_before_break.py", "a_settling_that_was_interrupted_is_waited_for_in_full"),
    ),
    Guard(
        "way-back-goes-on",
        "On the way back a VirtualService that cannot be written keeps no other one from going back.",
        RECONCILE,
        "                if decision.kind is not Kind.RESTORE:\n                    raise\n",
        "                raise\n",
        at(
            "engine/test_make_before_break.py",
            "on_the_way_back_one_route_that_cannot_be_written_keeps_no_other_from_going_back",
        ),
    ),
    Guard(
        "failures-of-the-way-back",
        "A VirtualService that could not be written on the way back is tried again.",
        RECONCILE,
        "        if failures:\n            raise failures[0]\n",
        "",
        at(
            "engine/test_make_before_break.py",
            "on_the_way_back_one_route_that_cannot_be_written_keeps_no_other_from_going_back",
        ),
    ),
    Guard(
        "refusal-told",
        "An edit that the API server refuses (RBAC, a webhook) is told to a person, and claimed by no status.",
        RECONCILE,
        "        except Refused as refusal:\n            return await",
        "        except Refused as refusal:\n            raise\n            return await",
        at("engine/test_conflicts.py", "an_edit_that_the_api_server_refuses_is_told"),
    ),
    Guard(
        "event-again",
        "An Event that could not be written is written later.",
        RECONCILE,
        "            except ApiFailure:\n                return False\n",
        "            except ApiFailure:\n                pass\n",
        at("engine/test_conflicts.py", "an_event_that_could_not_be_written_is_written_later"),
    ),
    Guard(
        "event-once",
        "A turn is told by one Event, however often its pass is repeated.",
        "meshshift/adapters/cluster.py",
        "        except Conflict:\n            return False\n",
        "        except Conflict:\n            raise\n",
        at("adapters/test_cluster.py", "an_event_is_recorded_once"),
    ),
    Guard(
        "observed-is-read",
        "status.weights.observed is what the mesh says, never what was intended.",
        "meshshift/engine/report.py",
        "        desired=desired,\n        observed=round(float(shares[0]), 2) if len(shares) == 1 else None,\n",
        "        desired=desired,\n        observed=float(desired),\n",
        at("engine/test_faults.py", "the_status_claims_only_what_the_mesh_says[0-24]"),
    ),
)

CACHES = (
    Guard(
        "older-version",
        "What a watch tells late never replaces what is known already.",
        WORLD,
        "        if known is not None and is_older(document, known):\n            return False\n        self.objects",
        "        self.objects",
        at("engine/test_world.py", "an_older_version_never_replaces_a_newer_one"),
    ),
    Guard(
        "tombstone",
        "A list from before a deletion does not bring the object back.",
        WORLD,
        "self.objects.get(key) or self._gone.get(key)",
        "self.objects.get(key)",
        at("engine/test_world.py", "a_list_from_before_a_deletion_does_not_bring_the_object_back"),
    ),
    Guard(
        "newer-than-the-list",
        "A list does not take away what was created after it was read.",
        WATCHES,
        " not in present and not is_older(as_of, each)]",
        " not in present]",
        at("operator/test_watches.py", "a_fresh_list_drops_what_is_gone_but_nothing_newer"),
    ),
    Guard(
        "old-deletion",
        "The late news of a deletion does not hide what was created since.",
        WATCHES,
        "            if known is not None and is_older(document, known):\n                return False\n",
        "",
        at("operator/test_watches.py", "an_old_deletion_does_not_hide_what_was_created_since"),
    ),
    Guard(
        "conflict-reads-the-object",
        "After a conflict the object is read afresh, not retried from a stale cache.",
        RECONCILE,
        "                await read_afresh(ref, self.world, self.cluster)\n",
        "                pass\n",
        at("engine/test_conflicts.py", "after_a_conflict_the_object_is_read_afresh_though_no_watch_speaks"),
    ),
    Guard(
        "conflict-reads-the-shift",
        "After a conflict the shift is read afresh, not retried from a stale cache.",
        RECONCILE,
        '            await read_afresh(ObjectRef("TrafficShift", *key), self.world, self.cluster)\n            raise\n',
        "            raise\n",
        at("engine/test_conflicts.py", "after_a_conflict_the_shift_is_read_afresh_though_no_watch_speaks"),
    ),
    Guard(
        "object-gone-unheard",
        "An object that is gone, though no watch told so, is known to be once a write misses it.",
        RECONCILE,
        "            if isinstance(failure, Conflict | NotFound):\n",
        "            if isinstance(failure, Conflict):\n",
        at("engine/test_faults_watches.py", "a_route_that_went_unheard_is_told_once_a_write_misses_it"),
    ),
    Guard(
        "shift-gone-unheard",
        "A shift that is gone, though no watch told so, is forgotten once a write misses it.",
        RECONCILE,
        "        except (Conflict, NotFound):\n",
        "        except Conflict:\n",
        at("engine/test_faults_watches.py", "a_shift_that_went_unheard_is_forgotten_once_a_write_misses_it"),
    ),
    Guard(
        "lists-before-decisions",
        "Nothing is decided before everything was listed once.",
        "meshshift/operator/main.py",
        "        await self.lists.fill(self._trouble)\n",
        "",
        at("operator/test_main.py", "nothing_is_decided_before_everything_was_listed"),
    ),
    Guard(
        "first-lists-wait",
        "An API server that cannot be listed yet is waited for.",
        LISTS,
        "            except ApiFailure as failure:\n                trouble",
        "            except ZeroDivisionError as failure:\n                trouble",
        at("operator/test_lists.py", "the_first_lists_wait_for_the_api_server_and_say_what_is_in_the_way"),
    ),
    Guard(
        "silent-watch",
        "A watch that falls silent is opened anew.",
        WATCHES,
        "    settings.watching.inactivity_timeout = silence\n",
        "",
        at("operator/test_lists.py", "a_silent_watch_is_opened_anew_and_goes_on_from_where_it_was"),
    ),
    Guard(
        "watch-gone",
        "After a 410 what was deleted meanwhile goes.",
        WATCHES,
        "            relist(resource)\n",
        "            pass\n",
        at("operator/test_lists.py", "what_is_deleted_while_a_watch_cannot_go_on_is_gone_after_it"),
    ),
    Guard(
        "resync",
        "Everything is listed now and then, whatever the watches say.",
        LISTS,
        "                self._wanted.update((resource.plural, resource) for resource in watched(self.feed.world))\n",
        "",
        at("operator/test_lists.py", "a_list_heals_what_a_silent_watch_does_not_tell"),
    ),
    Guard(
        "list-again",
        "A list that fails is tried again.",
        LISTS,
        "                await asyncio.sleep(pause)\n                self._asked.set()\n",
        "                await asyncio.sleep(pause)\n                self._wanted.clear()\n",
        at("operator/test_lists.py", "a_list_that_fails_is_tried_again"),
    ),
)

API = (
    Guard(
        "api-conflict",
        "A guarded patch that finds another version (422 without causes) is a conflict: look again.",
        KUBE,
        '    if status == 422 and not (document.get("details") or {}).get("causes"):\n',
        "    if False:\n",
        _kube("a_failed_test_operation_is_a_conflict"),
    ),
    Guard(
        "api-invalid",
        "An object that the API server finds invalid is refused, not tried for ever.",
        KUBE,
        '    if status == 422 and not (document.get("details") or {}).get("causes"):\n',
        "    if status == 422:\n",
        _kube("an_invalid_object_is_refused_with_the_servers_words"),
    ),
    Guard(
        "api-transient",
        "Overload and errors of the API server are waited out.",
        KUBE,
        "    if status in {408, 429} or status >= 500:\n",
        "    if False:\n",
        _kube("overload_and_server_errors_are_transient"),
    ),
    Guard(
        "api-retry-after",
        "The API server's Retry-After is kept.",
        KUBE,
        "float(retry_after) if retry_after and retry_after.isdigit() else None",
        "None",
        _kube("overload_and_server_errors_are_transient"),
    ),
    Guard(
        "retry-after-waited",
        "A worker waits as long as Retry-After asks.",
        "meshshift/operator/workers.py",
        "self.queue.retry(key, asked=failure.retry_after or 0.0)",
        "self.queue.retry(key)",
        at("operator/test_workers.py", "every_failure_is_tried_again"),
    ),
    Guard(
        "retry-after-kept",
        "No change meanwhile makes a shift ask before Retry-After is over.",
        "meshshift/engine/queue.py",
        "max(self._clock() + after, self._not_before.get(key, 0.0))",
        "self._clock() + after",
        at("engine/test_queue.py", "no_change_brings_forward_what_the_server_wants_to_be_asked_later"),
    ),
    Guard(
        "api-in-time",
        "Every call to the API server ends in time, whatever its other end does.",
        KUBE,
        "            total=None if endless else self._timeout,\n",
        "            total=None,\n",
        at("adapters/test_sockets.py", "every_call_to_the_api_ends_in_time_and_may_be_repeated[get-hang]"),
    ),
    Guard(
        "api-broken",
        "A broken connection is an error to be waited out, not a bug.",
        KUBE,
        "        except (aiohttp.ClientError, OSError, TimeoutError, asyncio.IncompleteReadError) as error:\n",
        "        except asyncio.IncompleteReadError as error:\n",
        _kube("a_broken_connection_is_transient"),
    ),
    Guard(
        "worker-lives",
        "No exception of one shift stops the others.",
        "meshshift/operator/workers.py",
        "        except Exception as failure:",
        "        except ApiFailure as failure:",
        at("operator/test_workers.py", "a_bug_in_one_shift_does_not_stop_the_others"),
    ),
    Guard(
        "one-worker-per-shift",
        "No shift is worked on by two workers at a time, and no change meanwhile is missed.",
        "meshshift/engine/queue.py",
        "        if key in self._working:\n            self._again[key] =",
        "        if False:\n            self._again[key] =",
        at("engine/test_queue.py", "no_key_is_worked_on_twice_at_a_time_and_no_change_is_missed"),
    ),
    Guard(
        "one-leader",
        "Of two controllers one leads.",
        "meshshift/adapters/lease.py",
        '            {"op": "test", "path": "/metadata/resourceVersion", "value": self._version},\n',
        "",
        at("adapters/test_lease.py", "only_one_of_two_candidates_gets_it"),
    ),
)
