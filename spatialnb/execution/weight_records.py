"""Record summaries of the weights of recorded runs, which are trained again for this."""

from __future__ import annotations

from spatialnb.analysis import pair_measures, weight_summary
from spatialnb.config.run import Run, canonical
from spatialnb.execution.trainer import train_one
from spatialnb.records import provenance, weight_cache
from spatialnb.records.store import MissingError, Record, RecordError, Store
from spatialnb.training import networks


def record_weights(run: Run, store: Store) -> Record:
    """Train a recorded run again, and record a summary of its weights.

    Raises
    ------
    MissingError : the run is not recorded.
    RecordError : training it again gives a different outcome, so these are not its weights; or a
        record is damaged.
    ValueError : the run failed, has two tasks, or does not place its units in 1-D index order,
        along which the summary measures distances.
    """
    there = weight_summary.weights_of(run, store)
    if there is not None:
        return there
    recorded = _summarisable(run, store)
    again, weights, _ = train_one(run, keep_weights=True)
    if canonical(again.outcome) != canonical(recorded.outcome):
        raise RecordError(
            f"training the run {run.id} again here gives a different outcome, so these are not its "
            "weights. Another torch build or CPU can change the bits: see its provenance."
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
    """The record of a run whose weights can be summarised; raises an error if they cannot."""
    recorded = store.find(run.id)
    if recorded is None:
        raise MissingError(f"the run {run.id} is not recorded; make it with `spatialnb train`")
    if run.positions is not None:
        raise ValueError(
            f"the run {run.id} has positions={run.positions!r}; the weight summary measures "
            "distances in 1-D index order only"
        )
    if recorded.failed or run.second is not None:
        what = "failed" if recorded.failed else "has two tasks"
        raise ValueError(
            f"the run {run.id} {what}; weights are recorded only for finished runs of one task"
        )
    return recorded
