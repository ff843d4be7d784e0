"""Remote calls between Picket's processes: rpc/picket.thrift describes them, served by Twisted.

Callers use `rpc.client` (another process) or `rpc.local` (this one); both give the same proxies and raise
only the errors of `rpc.errors`.
"""
