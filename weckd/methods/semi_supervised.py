"""Rivals that also see the unlabelled rest of the training part: a block of their own in the tables."""

from weckd.methods.budget import Budget
from weckd.methods.chain import each_alone
from weckd.methods.losses import FixMatch, MeanTeacher, PseudoLabels
from weckd.methods.recipe import Fit, Method

UNLABELLED_RATIO = 2
"""Unlabelled images a labelled one in each batch of the semi-supervised rivals: 30 % to 70 % of the training part
are about as one to two, so both go round at one pace. (FixMatch has 7, Noisy Student 14 or more; ours is smaller, as
the steps are few and equal.)"""


def pseudo_label(budget: Budget) -> Method:
    """Declare pseudo-labels (Lee 2013): a model on all stages' labels, then a student that takes its decisions too.

    Lee's one network relabels at every step and lets the term rise to weight 3; here, ours, the teacher has S steps,
    its labels stay, the term weighs 1, and the student starts afresh with (N-1)*S steps.
    """
    teacher = Fit(budget.subsets, budget.steps)
    student = Fit(
        budget.subsets,
        (budget.stages - 1) * budget.steps,
        teachers=(teacher,),
        loss=PseudoLabels(hard=True, strong=False, ratio=UNLABELLED_RATIO),
        unlabelled=_unlabelled(budget),
    )
    question = "what would the unlabelled rest buy? (pseudo-labels)"
    return Method("pseudo-label", question, "semi-supervised", each_alone((teacher, student)))


def noisy_student(budget: Budget) -> Method:
    """Declare Noisy Student (Xie et al. 2020): N generations of S steps, each student the next one's teacher.

    As there: soft pseudo-labels of a teacher without noise, a student from the initial state, as large as its teacher,
    with noise. Ours: the noise is strong augmentation of the unlabelled images alone (there of all images, with
    dropout and stochastic depth), and no pseudo-label is left out or repeated (there by confidence and class).
    """
    fits = [Fit(budget.subsets, budget.steps)]
    loss = PseudoLabels(hard=False, strong=True, ratio=UNLABELLED_RATIO)
    for _ in range(1, budget.stages):
        fits.append(
            Fit(
                budget.subsets,
                budget.steps,
                teachers=(fits[-1],),
                loss=loss,
                unlabelled=_unlabelled(budget),
            )
        )
    question = "what would the unlabelled rest buy? (Noisy Student)"
    return Method("noisy-student", question, "semi-supervised", each_alone(tuple(fits)))


def mean_teacher(budget: Budget) -> Method:
    """Declare Mean Teacher (Tarvainen and Valpola 2017); the result is the average of the student's weights.

    Weight 100 of the mean squared difference, risen after 40 000 of 150 000 steps, and decay 0.99 are the authors'
    (theirs is 0.999 after the rise). Ours: the average reaches back a tenth of the steps at most, since in
    fits of less than 1 000 steps 0.99 would keep the first, untrained weights.
    """
    loss = MeanTeacher(UNLABELLED_RATIO, weight=100.0, rampup=40_000 / 150_000, decay=0.99, reach=0.1)
    fit = Fit(budget.subsets, budget.total, loss=loss, unlabelled=_unlabelled(budget))
    question = "what would the unlabelled rest buy? (Mean Teacher)"
    return Method("mean-teacher", question, "semi-supervised", ((fit,),))


def fixmatch(budget: Budget) -> Method:
    """Declare FixMatch (Sohn et al. 2020) at the authors' threshold 0.95 and weight 1.

    Ours: the ratio, the strong augmentation (see `objectives.unlabelled`) and that the result is the
    network itself, where the authors evaluate an average of its weights.
    """
    loss = FixMatch(UNLABELLED_RATIO, weight=1.0, threshold=0.95)
    fit = Fit(budget.subsets, budget.total, loss=loss, unlabelled=_unlabelled(budget))
    question = "what would the unlabelled rest buy? (FixMatch)"
    return Method("fixmatch", question, "semi-supervised", ((fit,),))


def _unlabelled(budget: Budget) -> tuple[str, ...]:
    """Return the parts of the training part whose labels the chain does not use."""
    return tuple(part for part in budget.training if part not in budget.subsets)
