"""The structs and interfaces of picket.thrift, read from it as other modules would be imported.

`idl.Query(check="cpu", …)` makes a struct; fields left out are None. idl.pyi has their types.
"""

from pathlib import Path

import thriftpy2

_module = thriftpy2.load(str(Path(__file__).with_name("picket.thrift")), module_name="picket_thrift")

INTERFACES = {service.__name__: service for service in _module.__thrift_meta__["services"]}

Across = _module.Across
Assignment = _module.Assignment
CheckState = _module.CheckState
Column = _module.Column
Context = _module.Context
Hello = _module.Hello
Metric = _module.Metric
NodeSnapshot = _module.NodeSnapshot
NodeValue = _module.NodeValue
Query = _module.Query
Rank = _module.Rank
Ranked = _module.Ranked
Refused = _module.Refused
Series = _module.Series
Spread = _module.Spread
Unavailable = _module.Unavailable
Welcome = _module.Welcome


def methods(interface):  # type: ignore[no-untyped-def]
    """The names of an interface's methods; raises KeyError for one that the IDL does not have."""
    return INTERFACES[interface].thrift_services


def parameters(interface, method):  # type: ignore[no-untyped-def]
    """The names of a method's parameters in the IDL's order, the context among them."""
    spec = getattr(INTERFACES[interface], f"{method}_args").thrift_spec
    return [spec[number][1] for number in sorted(spec)]
