"""How the processes of this installation are: what `watchdog` heard of them, and which problems there are.

It belongs to no account. `webapp.accounts.operators` says who may see it.
"""
