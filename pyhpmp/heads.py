"""Which outputs of a model are trained, and how much each loss weighs."""

from __future__ import annotations

from collections.abc import Sequence

from pyhpmp.errors import InvalidArgumentError
from pyhpmp.records import ValueInfo

#: Of the loss of an auxiliary output: the usual weights of classifiers and of networks for maps.
AUX_WEIGHT_FEATURES, AUX_WEIGHT_MAPS = 0.3, 0.4


def loss_weights(
    outputs: Sequence[ValueInfo], aux: float | Sequence[float] | None
) -> tuple[float, ...]:
    """One weight per output: 1 for the first, which is what the model is for.

    aux: of all further outputs, or of each of them; by default 0.3, of maps 0.4, for those that
    have the shape of the first, and 0 for others.

    Raises:
        InvalidArgumentError: weights that are none, or not as many as there are outputs.
    """
    main, *others = outputs
    if aux is None:
        usual = AUX_WEIGHT_FEATURES if main.shape[1:] == (1, 1) else AUX_WEIGHT_MAPS
        return (1.0, *(usual if o.shape == main.shape else 0.0 for o in others))
    given = list(aux) if isinstance(aux, Sequence) else [aux] * len(others)
    if len(given) != len(others):
        raise InvalidArgumentError(
            f"{len(given)} weights of auxiliary outputs, the model has {len(others)}"
            + (f" ({', '.join(o.name for o in others)})" if others else "")
        )
    for weight in given:
        if not 0 <= weight <= 1e6:
            raise InvalidArgumentError(f"loss weight {weight} is not from 0 to 1000000")
    return (1.0, *given)


def heads_note(outputs: Sequence[ValueInfo], weights: Sequence[float]) -> str | None:
    """What to say of a model with several outputs; None where it has one."""
    if len(outputs) == 1:
        return None
    trained = [f"'{o.name}' ({w:g})" for o, w in zip(outputs, weights, strict=True) if w]
    left = [f"'{o.name}'" for o, w in zip(outputs, weights, strict=True) if not w]
    note = f"loss weights: {', '.join(trained)}"
    if left:
        note += f"; not trained: {', '.join(left)}"
    return note + "; change them with --aux-weight"
