"""Which of some methods are printed in bold: the best, and all that are not significantly worse."""

from collections.abc import Sequence

from weckd.analysis.contrasts import evaluate_all, gain
from weckd.analysis.evaluation import Evaluation
from weckd.analysis.inference.reader_study import adjust, p_value
from weckd.analysis.levels import Level
from weckd.places import few_seeds

BOLD_SENTENCE = (
    "Bold: the best of a row and all that are not significantly worse (two-way test, Holm in the row)."
)


def best_methods(evaluation: Evaluation, levels: Sequence[Level]) -> frozenset[str]:
    """Return the best of some methods on one data set or mean, and those not significantly worse than it.

    Each of the others is compared with the best by the two-way test, p by Holm over them. Nothing is best where a
    level is missing or seeds are too few for a test. Levels are of one metric of which more is better.
    """
    means = {level.method: level.result.study.estimate for level in levels if level.result.study is not None}
    if few_seeds(evaluation.suite) or not levels or len(means) < len(levels):
        return frozenset()
    best = max(levels, key=lambda level: means[level.method])
    others = [level for level in levels if level.method != best.method]
    p_values = [_p(evaluation, best, other) for other in others]
    worse = {
        other.method
        for other, p in zip(others, adjust(p_values, "holm"), strict=True)
        if p < evaluation.suite.analysis.alpha
    }
    return frozenset(means) - worse


def _p(evaluation: Evaluation, best: Level, other: Level) -> float:
    contrast = gain(best.method, best.stage, other.method, other.stage)
    results = evaluate_all(evaluation.suite, evaluation.predictions.datasets, contrast, best.metric)
    study = results[best.dataset].study
    return float("nan") if study is None or study.all_zero else p_value(study)
