"""The rules that decide a claim, in two editions.

The first edition was written together with the claims. The second amends it. It was written after
the verdicts of the first were known, so both are kept, and the ledger shows both if they differ:

- *equals*, *at least*: contradicted only if the whole interval lies beyond the margin. In the first
  edition, an estimate beyond the margin with an interval that excludes 0 was enough.
- *beats*: contradicted by equivalence only if the difference's uncorrected interval does not lie
  above 0; and a difference that holds but lies within the margin is marked.
- *exceeded*: the arm that is claimed to do as well does better. *tied*: the best, but equivalent
  to the runner-up.

Source: Schuirmann 1987 for the two one-sided tests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from spatialnb.study import inference
from spatialnb.study.claims import Claim, Finding, Verdict, arms_of
from spatialnb.study.inference import Interval, Sample

Decision = tuple[Verdict, float | None, str]
"""A verdict, the p value behind it if there is one, and the reason."""
Decide = Callable[[Claim, Sample, Interval, float], Decision]
"""From a claim, samples of D, the interval and the significance level to a decision."""

FAMILY = {
    "none": "the {level} interval of D",
    "chapter": "the Holm-corrected (within the chapter) {level} interval of D",
    "ledger": "the Holm-corrected (over the ledger) {level} interval of D",
    "fdr": "the {level} interval of D, false discoveries controlled over the ledger,",
}
"""Description of a "beats" claim's interval, by correction."""


def decide(
    claim: Claim, values: Sample, interval: Interval, alpha: float, edition: int
) -> Decision:
    """The verdict on one comparison, by the rules of that edition."""
    return _RULES[edition][claim.rule](claim, values, interval, alpha)


def rule_text(
    claim: Claim, edition: int = 2, alpha: float = 0.05, correction: str = "chapter"
) -> str:
    """The rule of a claim, spelled out for the ledger."""
    size, level, test = claim.size, f"{100 * (1 - alpha):.4g} %", f"{100 * alpha:.4g} %"
    of_d = FAMILY[correction].format(level=level)
    if edition == 1:
        text = {
            "beats": f"holds if {of_d} lies above 0; contradicted if it lies below 0, or if two "
            f"one-sided tests put D within ±{size}; otherwise undecided",
            "equals": f"holds if two one-sided tests ({test} each) put D within ±{size}; "
            f"contradicted if the {level} interval excludes 0 and |D| exceeds {size}; otherwise "
            "undecided",
            "at_least": f"holds if a one-sided test ({test}) puts D above -{size}; contradicted if "
            f"the {level} interval lies below 0 and D is below -{size}; otherwise undecided",
        }
    else:
        text = {
            "beats": f"holds if {of_d} lies above 0, and is marked where it lies below {size}; "
            f"contradicted if it lies below 0, or if two one-sided tests put D within ±{size} and "
            f"D's own {level} interval does not lie above 0; otherwise undecided",
            "equals": f"holds if two one-sided tests ({test} each) put D within ±{size}"
            + _exceeded(claim, f"the {level} interval lies {_side(claim)} 0")
            + f"; contradicted if the {level} interval lies wholly beyond ±{size}; otherwise "
            "undecided",
            "at_least": f"holds if a one-sided test ({test}) puts D above -{size}; contradicted if "
            f"the {level} interval lies wholly below -{size}; otherwise undecided",
        }
    text["between"] = (
        f"holds if the {level} interval of D lies within [{claim.low}, {claim.high}] {claim.unit}"
        + (_exceeded(claim, f"it lies {_side(claim)} that") if edition > 1 else "")
        + "; contradicted if it lies outside entirely; otherwise undecided"
    )
    several = ""
    if len(claim.comparisons) > 1:
        several = "; with several comparisons, holds if all do and is contradicted if one is"
        if edition > 1 and claim.best_of:
            several += (
                "; tied if two one-sided tests put the runner-up's D within the margin, and no "
                "interval lies below 0"
            )
    return f"{claim.difference}; {text[claim.rule]}{several}"


def short_rule(claim: Claim) -> str:
    """When the claim holds, for readers; :func:`rule_text` has the whole criterion."""
    text = {
        "beats": f"Beats: the interval of D lies above 0 (margin {claim.size}).",
        "equals": f"Equals: D lies within ±{claim.size}.",
        "at_least": f"At least as good: D lies above −{claim.size}.",
        "between": f"Between: D lies within [{claim.low}, {claim.high}] {claim.unit}".rstrip()
        + ".",
    }
    if len(claim.comparisons) == 1:
        return text[claim.rule]
    return text[claim.rule].removesuffix(".") + ", in every comparison."


def _side(claim: Claim) -> str:
    return "above" if claim.better == "higher" else "below"


def _exceeded(claim: Claim, condition: str) -> str:
    return f"; exceeded if {condition}" if claim.better else ""


def _exceeds(claim: Claim) -> str:
    """A reason that names the arm, because a control that does better speaks against the prior."""
    return f"{' and '.join(arms_of(claim.arm))} does better than claimed"


def _beats_first(claim: Claim, values: Sample, interval: Interval, alpha: float) -> Decision:
    p = inference.t_test(values)
    if interval.low > 0.0:
        return "holds", p, "the interval lies above 0"
    if interval.high < 0.0:
        return "contradicted", p, "the interval lies below 0"
    if inference.equivalence(values, claim.margin) < alpha:
        return "contradicted", p, f"the difference lies within ±{claim.size}"
    return "undecided", p, "the interval holds 0, and more than the margin"


def _beats(claim: Claim, values: Sample, interval: Interval, alpha: float) -> Decision:
    verdict, p, reason = _beats_first(claim, values, interval, alpha)
    if verdict == "holds" and interval.high < claim.margin:
        return verdict, p, f"{reason}, and within the margin"
    if verdict == "contradicted" and interval.high >= 0.0:  # by equivalence
        single = inference.mean_interval(values, 1.0 - alpha)
        if single.low > 0.0:
            return "undecided", p, f"{reason}, and is above 0 before the correction"
    return verdict, p, reason


def _equals_first(claim: Claim, values: Sample, interval: Interval, alpha: float) -> Decision:
    p = inference.equivalence(values, claim.margin)
    if p < alpha:
        return "holds", p, f"the difference lies within ±{claim.size}"
    if 0.0 not in interval and abs(interval.estimate) > claim.margin:
        return "contradicted", p, "the interval excludes 0, and the difference exceeds the margin"
    return "undecided", p, "neither equal within the margin nor clearly different"


def _equals(claim: Claim, values: Sample, interval: Interval, alpha: float) -> Decision:
    p = inference.equivalence(values, claim.margin)
    if p < alpha:
        return "holds", p, f"the difference lies within ±{claim.size}"
    if claim.better == "higher" and interval.low > 0.0:
        return "exceeded", p, f"the interval lies above 0: {_exceeds(claim)}"
    if claim.better == "lower" and interval.high < 0.0:
        return "exceeded", p, f"the interval lies below 0: {_exceeds(claim)}"
    if interval.low > claim.margin or interval.high < -claim.margin:
        return "contradicted", p, f"the whole interval lies beyond ±{claim.size}"
    return "undecided", p, "neither equal within the margin nor clearly beyond it"


def _at_least_first(claim: Claim, values: Sample, interval: Interval, alpha: float) -> Decision:
    p = inference.not_below(values, -claim.margin)
    if p < alpha:
        return "holds", p, f"no worse by {claim.size} or more"
    if interval.high < 0.0 and interval.estimate < -claim.margin:
        return "contradicted", p, "the interval lies below 0, and the difference exceeds the margin"
    return "undecided", p, "a loss greater than the margin is neither shown nor excluded"


def _at_least(claim: Claim, values: Sample, interval: Interval, alpha: float) -> Decision:
    p = inference.not_below(values, -claim.margin)
    if p < alpha:
        return "holds", p, f"no worse by {claim.size} or more"
    if interval.high < -claim.margin:
        return "contradicted", p, f"the whole interval lies below -{claim.size}"
    return "undecided", p, "a loss greater than the margin is neither shown nor excluded"


def _between_first(claim: Claim, values: Sample, interval: Interval, alpha: float) -> Decision:
    assert claim.low is not None
    assert claim.high is not None
    if claim.low <= interval.low and interval.high <= claim.high:
        return "holds", None, "the interval lies within the bounds"
    if interval.high < claim.low or interval.low > claim.high:
        return "contradicted", None, "the interval lies outside the bounds"
    return "undecided", None, "the interval crosses a bound"


def _between(claim: Claim, values: Sample, interval: Interval, alpha: float) -> Decision:
    verdict, p, reason = _between_first(claim, values, interval, alpha)
    assert claim.low is not None
    assert claim.high is not None
    above = claim.better == "higher" and interval.low > claim.high
    below = claim.better == "lower" and interval.high < claim.low
    if above or below:
        reason = f"the interval lies {_side(claim)} the bounds: {_exceeds(claim)}"
        return "exceeded", p, reason
    return verdict, p, reason


_RULES: dict[int, dict[str, Decide]] = {
    1: {
        "beats": _beats_first,
        "equals": _equals_first,
        "at_least": _at_least_first,
        "between": _between_first,
    },
    2: {"beats": _beats, "equals": _equals, "at_least": _at_least, "between": _between},
}


def worst(findings: Sequence[Finding]) -> Finding:
    """The finding of the comparison that is least favourable to the claim."""
    order = ("not judged", "contradicted", "undecided", "holds", "exceeded")

    def rank(finding: Finding) -> tuple[int, float]:
        claim, estimate = finding.claim, finding.interval.estimate
        if claim.rule == "equals":
            estimate = -abs(estimate)
        if claim.rule == "between":
            assert claim.low is not None
            assert claim.high is not None
            estimate = -abs(estimate - (claim.low + claim.high) / 2.0)
        return order.index(finding.verdict), estimate

    return min(findings, key=rank)
