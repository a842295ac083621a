"""Layers of timm's networks that are computed in another way on a CPU: the same values but for rounding, in less time.

oneDNN, which computes torch's convolutions on a CPU, has a kernel for the gradient of a depthwise convolution's weights
where these are at most three columns wide and the map, padding included, is no smaller than they are. Any other it
computes as a grouped convolution, with sixteen channels a group of which one is used. `Depthwise` asks for a few
columns at a time, of maps that are padded beforehand. `ReLU6` spares the copy that torch keeps of what it overwrites.

What is exchanged, and how a gradient is computed, depends on kinds and shapes alone, never on a time measured: the same
network on the same images gives the same bytes.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import ceil

import torch
import torch.nn.functional as F
from timm.layers import Conv2dSame  # type: ignore[attr-defined] # exported without __all__
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable

WIDEST = 3
"""Columns of the widest depthwise kernel that oneDNN has a kernel for, for the gradient of its weights."""

_Pair = tuple[int, int]  # of rows, of columns


def exchange_layers(network: nn.Module) -> None:
    """Exchange layers of a network for those of this module.

    Names, shapes and values of all parameters stay. Hooks on a layer do not, so this comes before any is set.
    """
    for parent in [*network.modules()]:
        for name, layer in [*parent.named_children()]:
            if isinstance(layer, nn.Conv2d) and _is_depthwise(layer):
                setattr(parent, name, Depthwise(layer))
            elif type(layer) is nn.ReLU6 and layer.inplace:
                setattr(parent, name, ReLU6())


def _is_depthwise(layer: nn.Conv2d) -> bool:
    return (
        type(layer) in (nn.Conv2d, Conv2dSame)
        and 1 < layer.groups == layer.in_channels == layer.out_channels
        and layer.dilation == (1, 1)
        and layer.padding_mode == "zeros"
        and not isinstance(layer.padding, str)
    )


class Depthwise(nn.Module):
    """A depthwise convolution, with timm's "same" padding where the given layer has it."""

    bias: Tensor | None

    def __init__(self, given: nn.Conv2d) -> None:
        """Take over a layer's parameters."""
        super().__init__()
        self.weight, self.bias = given.weight, given.bias
        self.stride, self.padding = _pair(given.stride), _pair(given.padding)  # type: ignore[arg-type] # no name
        self.same = isinstance(given, Conv2dSame)

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps (B, C, H', W') of maps (B, C, H, W)."""
        size, kernel, stride = (
            _pair(given) for given in (maps.shape[2:], self.weight.shape[2:], self.stride)
        )
        padding, more = self.padding, (0, 0)
        if self.same:
            lines = zip(size, kernel, stride, strict=True)
            rows, columns = (max((ceil(n / step) - 1) * step + width - n, 0) for n, width, step in lines)
            padding, more = (rows // 2, columns // 2), (rows % 2, columns % 2)
        fits = more == (0, 0) and kernel[1] <= WIDEST and kernel[0] <= size[0] and kernel[1] <= size[1]
        if fits or not torch.is_grad_enabled():
            return F.conv2d(
                maps, *_evenly(self.weight, self.bias, stride, padding, more), 1, len(self.weight)
            )
        convolved: Tensor = _Convolved.apply(maps, self.weight, self.bias, stride, padding, more)  # type: ignore[no-untyped-call]
        return convolved


def _pair(given: Sequence[int]) -> _Pair:
    rows, columns = given
    return rows, columns


class _Convolved(torch.autograd.Function):
    """A depthwise convolution, padded by `padding` on each side and by `more` (0 or 1) behind the map."""

    @staticmethod
    def forward(
        ctx: FunctionCtx,
        maps: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: _Pair,
        padding: _Pair,
        more: _Pair,
    ) -> Tensor:
        ctx.save_for_backward(maps, weight)
        ctx.stride, ctx.padding, ctx.more = stride, padding, more  # type: ignore[attr-defined]
        return F.conv2d(maps, *_evenly(weight, bias, stride, padding, more), 1, len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        maps, weight = ctx.saved_tensors  # type: ignore[attr-defined]
        stride, padding, more = ctx.stride, ctx.padding, ctx.more  # type: ignore[attr-defined]
        to_maps, to_weight, to_bias = ctx.needs_input_grad[:3]  # type: ignore[attr-defined]
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        of_maps = of_weight = of_bias = None
        if to_maps:
            wide, _, _, even = _evenly(weight, None, stride, padding, more)
            of_maps = _gradient(gradient, maps, wide, stride, even, 0)
        if to_weight:
            of_weight = weight_gradient(gradient, maps, weight, stride, padding)
        if to_bias:
            of_bias = gradient.sum((0, 2, 3))
        return of_maps, of_weight, of_bias, None, None, None


def _evenly(
    weight: Tensor, bias: Tensor | None, stride: _Pair, padding: _Pair, more: _Pair
) -> tuple[Tensor, Tensor | None, _Pair, _Pair]:
    """Return the arguments of the same convolution with as many zeros before the map as behind it.

    A zero before the weights does it, where a copy of the map would have to be padded.
    """
    if more != (0, 0):
        weight = F.pad(weight, (more[1], 0, more[0], 0))
    return weight, bias, stride, (padding[0] + more[0], padding[1] + more[1])


def _gradient(
    gradient: Tensor, maps: Tensor, weight: Tensor, stride: _Pair, padding: _Pair, number: int
) -> Tensor:
    """Return torch's gradient of a depthwise convolution's maps (0) or weights (1)."""
    asked = [number == 0, number == 1, False]
    found: Tensor = torch.ops.aten.convolution_backward(
        gradient, maps, weight, None, stride, padding, (1, 1), False, (0, 0), len(weight), asked
    )[number]
    return found


def weight_gradient(gradient: Tensor, maps: Tensor, weight: Tensor, stride: _Pair, padding: _Pair) -> Tensor:
    """Return the gradient (C, 1, k, l) of a depthwise convolution's weights, made of few columns at a time.

    Args:
        gradient: of what the convolution returned, (B, C, H', W').
        maps: what it was given, (B, C, H, W).
        weight: (C, 1, k, l), of which the shape counts.
        stride: of rows, of columns.
        padding: zeros before the first row and the first column; those behind follow from the sizes.
    """
    lines = zip(weight.shape[2:], padding, stride, maps.shape[2:], gradient.shape[2:], strict=True)
    rows, columns = (_touching(*line) for line in lines)
    top, height = rows.start, len(rows)
    found = torch.zeros_like(weight)
    for left, width in _narrow(columns):
        part = F.pad(
            maps,
            (
                *_around(padding[1] - left, width, stride[1], maps.shape[3], gradient.shape[3]),
                *_around(padding[0] - top, height, stride[0], maps.shape[2], gradient.shape[2]),
            ),
        )
        kernel = weight.new_empty((len(weight), 1, height, width))
        of_part = _gradient(gradient, part, kernel, stride, (0, 0), 1)
        found[:, :, top : top + height, left : left + width] = of_part
    return found


def _touching(kernel: int, padding: int, stride: int, size: int, positions: int) -> range:
    """Return which weights of a line meet the map at any position: others meet its padding, and have no gradient."""
    return range(max(0, padding - (positions - 1) * stride), min(kernel, padding + size))


def _narrow(columns: range) -> Iterator[tuple[int, int]]:
    """Split columns as evenly as it goes: the first one and the width of each part."""
    parts = ceil(len(columns) / WIDEST)
    edges = [columns.start + len(columns) * part // parts for part in range(parts + 1)]
    return ((begin, end - begin) for begin, end in pairwise(edges))


def _around(before: int, kernel: int, stride: int, size: int, positions: int) -> _Pair:
    """Return the zeros before and behind a line of the map that some weights meet; fewer than none cut it."""
    return before, (positions - 1) * stride + kernel - before - size


class ReLU6(nn.Module):
    """Cuts values off below 0 and above 6, in place."""

    def forward(self, values: Tensor) -> Tensor:
        """Return the values, which are overwritten."""
        if not torch.is_grad_enabled():
            return F.hardtanh_(values, 0.0, 6.0)
        cut: Tensor = _CutOff.apply(values)  # type: ignore[no-untyped-call]
        return cut


class _CutOff(torch.autograd.Function):
    """Its gradient is made of its result: what was cut off lies at the bounds."""

    @staticmethod
    def forward(ctx: FunctionCtx, values: Tensor) -> Tensor:
        ctx.mark_dirty(values)
        F.hardtanh_(values, 0.0, 6.0)
        ctx.save_for_backward(values)
        return values

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, gradient: Tensor) -> Tensor:
        (result,) = ctx.saved_tensors  # type: ignore[attr-defined]
        found: Tensor = torch.ops.aten.hardtanh_backward(gradient, result, 0.0, 6.0)
        return found
