"""What services that answer questions about metrics share: questions as the domain has them, and errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from rpc import idl
from rpc.errors import Refused, Unavailable
from timeseries.errors import DamagedBlock, InvalidQuery, StoreUnavailable
from timeseries.rank import Ranked


@contextmanager
def told() -> Iterator[None]:
    """Errors of the store and of the question, in the words of RPC."""
    try:
        yield
    except (InvalidQuery, msgspec.ValidationError) as error:
        raise Refused("bad_query", str(error)) from error
    except (StoreUnavailable, DamagedBlock) as error:
        raise Unavailable(str(error)) from error


def fields(asked: object) -> dict[str, Any]:
    """Those that the caller set: thriftpy2 leaves the others None."""
    return {name: value for name, value in vars(asked).items() if value is not None}


def ranked_answer(ranked: Ranked) -> idl.Ranked:
    """As the IDL has it."""
    top = [idl.NodeValue(node_id=each.node_id, value=each.value) for each in ranked.top]
    return idl.Ranked(**{**msgspec.structs.asdict(ranked), "top": top})
