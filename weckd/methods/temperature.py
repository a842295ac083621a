"""The distillation temperature over the steps of a fit."""

from weckd.methods.recipe import Temperature


def temperature_at(step: int, steps: int, temperature: Temperature) -> float:
    """Return T at `step` (0 .. steps - 1): from the first value to the last, linear in the step.

    The paper states that T is annealed over epochs, not how; annealing per step is the suite's reading.
    """
    first, last = temperature
    if steps == 1:
        return first
    return first + (last - first) * step / (steps - 1)
