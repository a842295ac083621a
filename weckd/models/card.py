"""The model card of an exported network: what it was made of, how good it is, and what it must not be used for."""

from collections.abc import Mapping, Sequence
from typing import Any

from weckd.config import Suite
from weckd.errors import counted
from weckd.methods.catalogue import find_method
from weckd.methods.chain import suite_budget
from weckd.models.find import FoundFit
from weckd.models.folder import ONNX, ORIGIN, WEIGHTS, Checked, Origin, Tested
from weckd.models.intervals import in_percent, of_groups

PAPER = (
    "Rahman, Raiaan, Azam, Karim, Beissbarth, Leach: WeCKD: Weakly-supervised Chained Distillation Network for "
    "Efficient Multimodal Medical Imaging. arXiv 2510.14668, 2025."
)
_TEMPLATE = """\
---
library_name: timm
pipeline_tag: image-classification
license: other
tags: [image-classification, timm, weckd]
---

# {title}: {method}, seed {seed}

A {architecture} for images of {size} x {size} pixels that tells apart {classes}. Trained by the WeCKD reproducibility
suite {version}, run `{run}`.

**Not for diagnosis.** It was trained to compare methods that learn from few labels, and was never tested on patients.

## Images

| | |
| --- | --- |
| data set | {title} (`{dataset}`) |
| licence | {licence} |
| source | {source} |
| citation | {citation} |
| images | {parts} |{excluded}

Whether the licence of the images extends to weights that were trained on them is for you to judge. Groups
({groups_are}) are together in one part{but_cut}. {protocol}{doubtful}

## Training

- `{method}`: {question} Model {stage} of {stages}.
- {labels}; {steps}; {start}.
- Plan of the run {plan}; fit {fit}.{again}

## Accuracy

On {images} test images in {groups}{none_of_training}; of this seed alone:

| | % [95 % interval] |
| --- | --- |
| accuracy | {accuracy} |{without}
| accuracy of always answering {most_frequent}, the most frequent class of them | {always} |
| balanced accuracy | {balanced} |

| class | test images | % right |
| --- | --- | --- |
{per_class}

The intervals are over groups of test images: another draw of images, the same network.

## Limits

{limits}

## Use

    timm.create_model("local-dir:FOLDER", pretrained=True)

gives logits of these classes, in this order: {classes}. An image is resized as a whole to {size} x {size} pixels
(bicubic), in RGB from 0 to 1, less the mean {mean} and divided by the standard deviation {std} of the channels.
{temperature}
{weights} has the weights, {origin} where they come from. Read by timm, they gave the logits that this network had on
the test images when it was trained {difference}.{onnx}

## Citation

- {paper}
- {data_citation}
"""


def card_text(
    suite: Suite,
    origin: Origin,
    found: FoundFit,
    facts: Mapping[str, Any],
    prepared: Mapping[str, Any],
    agreeing: int,
    patients: bool,
) -> str:
    """Return the model card, Markdown with the Hub's head.

    Args:
        suite: of the run.
        origin: what weckd.json says.
        found: the fit.
        facts: of the prepared data set, for licence and citation.
        prepared: how timm prepares an image, for its mean and standard deviation.
        agreeing: test images of which it predicts the class that the run's stored predictions have.
        patients: whether the source names the patients of images.
    """
    method = find_method(origin.method)(suite_budget(suite))
    asked = f"trained to ask: {method.question}" if "?" in method.question else method.question
    trained = found.cell.methods[origin.method]
    tested, sizes = origin.tested, found.cell.images_of_part
    labelled = sum(number for part, number in sizes.items() if part == "rest" or part.startswith("D"))
    rows = (
        f"| {name} | {tested.images_of_class[name]} | {100 * share:.1f} |"
        for name, share in tested.of_class.items()
    )
    again = (
        f"\n- Trained again, with another device, version or code than the run ({found.of_run[:20]}): it predicts the "
        f"class of the run's stored predictions for {agreeing} of {tested.images} test images."
        if found.again
        else ""
    )
    backbone = found.backbone
    start = (
        "weights drawn at random"
        if backbone.init == "random"
        else f"pretrained weights ({backbone.fetched or 'ImageNet'})"
    )
    stages = [str(number) for part, number in sizes.items() if part.startswith("D")]
    others = (
        f"{number} {'of no stage' if part == 'rest' else part}"
        for part, number in sizes.items()
        if part[0] not in "DE"
    )
    of_stages = f"{' + '.join(stages)} of {f'the {len(stages)} stages' if len(stages) > 1 else 'the stage'}"
    parts = ", ".join([of_stages, *others])
    excluded = ", ".join(suite.exclude_classes.get(origin.dataset, ()))
    doubted = {"copies": tested.copies, "suspected variants": tested.suspected}
    doubts, without = " and ".join(filter(doubted.get, doubted)), tested.accuracy_without
    most_frequent = max(tested.images_of_class, key=tested.images_of_class.__getitem__)
    official = suite.split.protocol == "official"
    return _TEMPLATE.format(
        title=facts["title"],
        dataset=origin.dataset,
        method=origin.method,
        seed=origin.seed,
        architecture=backbone.name,
        size=origin.image_size,
        classes=", ".join(origin.classes),
        version=origin.versions["weckd"],
        run=origin.run,
        licence=facts["licence"],
        source=facts["source"],
        citation=facts["citation"] or "none",
        parts=parts,
        excluded=f"\n| classes that the run left out | {excluded} |" if excluded else "",
        groups_are=of_groups(patients),
        most_frequent=most_frequent,
        always=f"{100 * tested.images_of_class[most_frequent] / tested.images:.1f}",
        but_cut=", but where the source's own test part cuts them" if official else "",
        protocol="The test part is the source's own." if official else "The test part was drawn by group.",
        doubtful=_doubtful(tested, official, suite.facts[origin.dataset].phantom),
        question=asked if asked.endswith("?") else f"{asked.rstrip('.')}.",
        stage=origin.stage,
        stages=len(trained.stages),
        labels=f"{counted(trained.labels, 'label')} of the {labelled} of the training part",
        start=f"it starts from {start}",
        steps=f"{counted(method.steps(), 'optimiser step')} in all, on {suite.training.batch_size} images each",
        plan=origin.plan_hash,
        fit=origin.fit[:20],
        again=again,
        images=tested.images,
        groups=counted(tested.groups, "group"),
        none_of_training="" if official else ", none of which it was trained on",
        accuracy=in_percent(tested.accuracy),
        without=f"\n| accuracy without {doubts} | {in_percent(without)} |" if without else "",
        balanced=in_percent(tested.balanced_accuracy),
        per_class="\n".join(rows),
        limits="\n".join(f"- {line}" for line in _limits(suite, origin)),
        mean=_listed(prepared["mean"]),
        std=_listed(prepared["std"]),
        weights=WEIGHTS,
        origin=ORIGIN,
        temperature=_temperature(origin),
        difference=_difference(origin.checked),
        onnx=_onnx(origin),
        paper=PAPER,
        data_citation=facts["citation"] or f"{facts['title']}: {facts['source']}",
    )


def _doubtful(tested: Tested, official: bool, phantom: bool) -> str:
    """Return how many test images may be known to it from others: copies, and suspected variants."""
    lines, kinds = [], "turned by any angle, mirrored, shifted or zoomed"
    if official:
        lines.append(
            f"Of its {tested.images} images {tested.copies} have a copy, identical or near, among those for training."
        )
    if tested.suspected:
        lines.append(
            f"The run's audit suspects that {tested.suspected} of {counted(tested.images, 'test image')} are variants "
            f"({kinds}) of images that it was trained or calibrated on; audit/pairs.csv of the run lists them."
        )
    elif tested.suspected is None and not phantom:
        lines.append(f"Variants ({kinds}) of one photograph may be in several parts: the run has no audit.")
    elif not phantom:
        lines.append(
            f"The run's audit suspects no test image to be a variant ({kinds}) of one that it was trained or "
            "calibrated on."
        )
    if tested.copies or tested.suspected:
        lines.append("Of such images the accuracy may be too high.")
    return "".join(f"\n{line}" for line in lines)


def _limits(suite: Suite, origin: Origin) -> list[str]:
    """Return what a reader must know before trusting the numbers."""
    smallest = min(origin.tested.images_of_class, key=origin.tested.images_of_class.__getitem__)
    lines = [
        "The test images are of the same source as those that it was trained on. On images of another camera, hospital "
        "or staining it may be much worse: `weckd evaluate` tells, on labelled ones.",
        f"It knows {len(origin.classes)} classes and answers with one of them whatever the image shows.",
        f"It is one of {counted(len(suite.seeds), 'seed')}, of which the tables of the run have the mean. Of a seed "
        "that was chosen for its test accuracy, that accuracy is too high.",
        f"The smallest class of the test part, {smallest}, has "
        f"{counted(origin.tested.images_of_class[smallest], 'image')}.",
        "Its probabilities are no chances of a disease: they depend on how frequent the classes were in training.",
    ]
    if suite.quick_look:
        lines.insert(
            0, "The run was a quick look: few steps on small images, far from what such networks reach."
        )
    if suite.facts[origin.dataset].phantom:
        lines.insert(0, "The images were drawn by the suite: it knows nothing of real ones.")
    return lines


def _temperature(origin: Origin) -> str:
    if origin.temperature is None:
        return "No temperature could be chosen on the validation images, so that probabilities are not calibrated."
    return (
        f"Divided by the temperature {origin.temperature:.3f}, chosen on the validation images, the logits give "
        "calibrated probabilities."
    )


def _onnx(origin: Origin) -> str:
    if origin.checked_onnx is None:
        return ""
    shape = f"(N, 3, {origin.image_size}, {origin.image_size})"
    return (
        f"\n\n{ONNX} is the same network for ONNX runtimes: input `image`, float32 {shape}, normalised as above; "
        f"output `logits`. Run by onnxruntime, it gave those logits of the test images "
        f"{_difference(origin.checked_onnx)}."
    )


def _difference(checked: Checked) -> str:
    within = f"to within {checked.difference:.1g}, of logits of up to {checked.scale:.3g}"
    return f"{within if checked.difference else 'to the byte'} ({checked.device})"


def _listed(values: Sequence[float]) -> str:
    return f"({', '.join(f'{value:.4g}' for value in values)})"
