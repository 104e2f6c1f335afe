"""Summaries of recorded runs' weights, for which the runs are trained again."""

from __future__ import annotations

from spatialnb.analysis import pair_measures, weight_summary
from spatialnb.config.run import Run, canonical
from spatialnb.execution.trainer import train_one
from spatialnb.records import provenance, weight_cache
from spatialnb.records.store import MissingError, Record, RecordError, Store
from spatialnb.training import networks


def record_weights(run: Run, store: Store) -> Record:
    """Record a summary of a recorded run's weights, for which the run is trained again.

    Raises
    ------
    MissingError : the run is not recorded.
    RecordError : trained again it does not come out as recorded, so these are not its weights; or a
        record is damaged.
    ValueError : the run failed, is one of two tasks, or has its neurons not on a line, along which
        the summary counts distances.
    """
    there = weight_summary.weights_of(run, store)
    if there is not None:
        return there
    recorded = _summarisable(run, store)
    again, weights, _ = train_one(run, keep_weights=True)
    if canonical(again.outcome) != canonical(recorded.outcome):
        raise RecordError(
            f"the run {run.id} does not come out here as it was recorded, so these are not its "
            "weights. Another torch build or processor gives other bits: see its provenance."
        )
    assert weights is not None
    weight_cache.write(weights, weight_cache.path_of(run.id))
    model = pair_measures.trained(run, weight_cache.read_required(run))
    weight_cache.path_of(run.id).unlink()
    record = Record(
        kind="weight",
        config=weight_summary.weights_config(run),
        outcome=weight_summary.summarise(
            pair_measures.learned(model), networks.effective_weights(model)
        ),
        provenance=provenance.here(),
    )
    weight_cache.save_record(record, store)
    return store.get(record.id, "weight")


def _summarisable(run: Run, store: Store) -> Record:
    """The record of a run whose weights can be summarised; raises where they cannot."""
    recorded = store.find(run.id)
    if recorded is None:
        raise MissingError(f"the run {run.id} is not recorded; `spatialnb train` makes it")
    if run.positions is not None:
        raise ValueError(
            f"the run {run.id} has its neurons on the {run.positions}; the summary of weights "
            "counts distances along a line"
        )
    if recorded.failed or run.second is not None:
        what = "failed" if recorded.failed else "is one of two tasks"
        raise ValueError(f"the run {run.id} {what}; weights are recorded of finished runs of one")
    return recorded
