"""A network looked at by its shapes alone: nothing is drawn, allocated or computed."""

import torch
from torch import Tensor, nn

from weckd.errors import UserError
from weckd.training.gate import attach_gates
from weckd.training.limits import Shape
from weckd.training.networks import attention_stages, build_backbone, map_sizes, takes_images

_CLASSES = 2


def probe(name: str, image_size: int) -> Shape:
    """Return what can be known of a timm network before it is trained.

    Args:
        name: of the architecture, or with the tag of weights.
        image_size: pixels a side of the images that it is fed.
    """
    try:
        with torch.device("meta"):
            network = build_backbone(name, _CLASSES)
            return _shape(network, image_size, pretrained="." in name)
    except UserError as problem:
        return Shape(problem=str(problem))


def _shape(network: nn.Module, image_size: int, pretrained: bool) -> Shape:
    head = network.get_classifier()  # type: ignore[operator]
    name = network.pretrained_cfg["architecture"]  # type: ignore[index]
    if pretrained and getattr(head, "bias", None) is None:
        raise UserError(
            f"backbone.init: {name} ends in no single linear classifier, which is newly drawn over pretrained weights; "
            "use another backbone, or init: random"
        )
    with takes_images(network, image_size):
        activations = _kept_bytes(network.train(), torch.empty(2, 3, image_size, image_size)) // 2
    indices = attention_stages(sizes := map_sizes(network, image_size))
    weights = sum(value.numel() * value.element_size() for value in network.state_dict().values())
    return Shape(
        weights_bytes=weights,
        activation_bytes=activations,
        stages=len(sizes),
        compared=len(indices),
        gates=_gates_problem(network, indices, image_size) if indices else "",
    )


def _kept_bytes(network: nn.Module, images: Tensor) -> int:
    """Return the bytes that a training pass keeps for its gradients, beside the network's own."""
    own = {parameter.untyped_storage()._cdata for parameter in network.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = storage  # held, so that no other takes its place
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        network(images)
    return sum(storage.nbytes() for storage in kept.values())


def _gates_problem(network: nn.Module, stages: list[int], image_size: int) -> str:
    try:
        attach_gates(network, stages, image_size)
    except UserError as problem:
        return str(problem)
    return ""
