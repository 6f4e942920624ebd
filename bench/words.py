"""The words between the tables of the benchmark page: how to read them, and what they assume."""

HEAD = """\
# How well it judges

This page is made by `python -m bench.judge --full --write docs/benchmarks.md`; `make bench` prints a rough version of
it in a minute.  Nothing in it is edited by hand.  All but the costs comes from seeded simulation, so the same command
prints the same numbers anywhere.

## How to read it

A cell says what became of the simulated shifts: `on 98 % 240 s` were promoted, in 240 seconds at the median; `back
2.0 % 45 s` were rolled back; `open` were undecided after two hours.  In brackets: failed requests of the canary until
then, mean over all shifts, those included that would have failed on stable.  A canary that is promoted goes on failing
afterwards, and that is not counted: few failed requests beside a promoted bad canary are no merit.

Repetitions per cell: {size.runs} of the product, {size.peers} of the other rules, {size.many} of canaries like
stable, {size.promise} of the promises where nothing disturbs.  A share of 0 % in n shifts means less than 3/n with
95 % confidence.

Assumptions, the same for all rules:

- Windows of 15 s.  Requests are Poisson, failures binomial, both arms report through two proxies.  The weight is
  exact and at once.  Canary and service fail at constant rates unless a table says otherwise.
- The shift goes 5/10/25/50/100 %, the first weight on faith, and ends when all traffic is on the canary.  Time counts
  from the first weight.  A weight is held for a minute at least, except where the rule has its own pace (Flagger
  advances with every check that passes).
- Telemetry is there when a window ends.  *As deployed* shows what reading it a scrape later costs.
- The product has its default settings: tolerance 25 % (and 0.05 points), harm budget 0.5 points, false rollbacks at
  most 1 %, false promotions at most 5 %.  Its indicator has half of the allowance, as success rate has beside latency:
  at most 0.5 %.
- The canary's pods have been ready for a minute: no warm-up, except in *As deployed*.

The other rules, written anew from source and manuals (July and August 2026):

- Flagger counts failed checks ("99 % of the canary's requests of the last minute succeeded", or of the last window in
  the 15 s, 5 strikes variant) and rolls back at the check after the last strike.  The example and the tutorial are its
  own; with nothing set, one strike and 60 s are its defaults.
- Argo Rollouts measures beside the steps and aborts with more failures than `failureLimit` (default 0).  The manual's
  condition is 95 %; 99 % with three failures allowed is the stricter one that compares with Flagger's.
- A check without any request in it is 0/0, which is not "at least 99 %": a failure, in both.
- Mann-Whitney is the test of Kayenta's default judge, on the failure rates of both arms' windows so far, once a minute.
- The oracle is the best threshold rule there can be for each world: see `bench/oracle.py`.  Nobody can have it.

What is wanted: a canary like stable promoted; one beyond the harm budget (here: above 1.25 %) rolled back, soon and
with few failed requests.  One in between, like the canary that fails twice as often, may be either: it is worse than
tolerated, but costs less than the budget.
"""

ASKED = """\
Aims that were set before anything was measured.  Where one is missed, it says so.  *Fewer failures* are the canary's
failed requests until the rollback, at +5 points: rules with fewer strikes are quicker there, and pay for it with good
canaries and mild regressions, as the tables below show.
"""

SECTIONS = {
    "Promises": """\
The two promises at their very edge, the canary being held at 10 % for an hour.  *Margin*: the worst canary that must
not be rolled back.  *Budget*: the mildest that must not get all traffic.  The promises are proved for requests that
fail independently, or each with a bounded chance given the past; for clumps they rest on the clump size as learned
from stable, and the rows with clumps show how far that carries.
""",
    "Steady canaries": """\
The service fails 0.5 % throughout, the canary as the heading says.
""",
    "What happens on the way": """\
*Wrong* is the share of shifts, over all three services, that ended the other way.  Rules that are through in a minute
have promoted before anything late begins; that is theirs to answer for.
""",
    "Plans and services": """\
Other plans, and services that fail more and less, with Flagger's example beside it.
""",
    "As deployed": """\
What it takes that a scrape must be complete before it is read, 15 s by default, and that the canary's pods have only
just become ready: for a minute only evidence of a catastrophe counts.  The window in flight when a weight changes is
not looked at.
""",
    "Latency and several indicators": """\
Stable takes 40 ms at the median and 257 ms at p99; latency is seen through Istio's histogram only, where nothing lies
between 100, 250 and 500 ms.  *Default pair*: success rate and latency against stable's own p90, p95 and p99, half of
the allowance each.  *99 % within 300 ms*: rolling back asks at the 500 ms boundary, advancing at 250 ms.
""",
    "An absolute objective": """\
Success rate with an objective of 99 % beside the comparison: rolled back is who is worse than stable *and* misses it.
A service that misses it in both arms is held, not blamed, once the objective is disproven; so is a canary that is
worse than stable but within the objective.  Both wait for a person, or for `stepTimeout`, and keep their traffic
meanwhile: the failed requests in those rows are those of two hours.
""",
    "Requests needed": """\
The canary's requests until the decision at constant 10 % weight, beside Wald's bound: the fewest that any test with
the same chance of error can need, even if it knew the world and could decide after any request.  Rows are left out
where the bound is worth less than four windows: there the window decides.  *Within the budget*: worse than tolerated,
but good enough to be promoted; the judge places its bets on canaries beyond the budget, and is slow with these.  What
is undecided after 1000 windows counts with the requests it had until then.
""",
    "How rare a false rollback is": """\
A canary that fails as stable does, 0.5 %, on the way 5/10/25/50/100.  Counting would take a hundred thousand shifts;
this is measured with worse canaries and weighed back (see `bench/rare.py`).  Proved is less: at most 1 in
6,000 with the half of the allowance that is simulated here, 1 in 2,800 for two indicators with the whole.
""",
    "Costs": """\
One look at one window, measured on the machine that made this page, in plain Python; everything else on this page is
the same everywhere.
""",
}
