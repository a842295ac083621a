"""Does one data set decide the mean over data sets?"""

from collections.abc import Mapping

from weckd.analysis.inference.reader_study import Study, mean_study


def leave_one_out(studies: Mapping[str, Study]) -> dict[str, Study]:
    """Return for each data set the unweighted mean over the others; empty with one data set."""
    if len(studies) == 1:
        return {}
    return {
        left_out: mean_study([study for key, study in studies.items() if key != left_out])
        for left_out in studies
    }


def estimate_range(left_out: Mapping[str, Study]) -> tuple[float, float]:
    """Return the smallest and largest of the means of `leave_one_out`; NaN where there is none."""
    estimates = [study.estimate for study in left_out.values()] or [float("nan")]
    return min(estimates), max(estimates)
