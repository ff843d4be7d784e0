"""Who comes when: nobody is always first, in rounds in which contenders take turns."""

from collections.abc import Sequence


def turns(names: Sequence[str], number: int) -> list[str]:
    """The order of round `number`: moved on by one each round."""
    shift = number % len(names)
    return [*names[shift:], *names[:shift]]
