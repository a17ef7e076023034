"""The points programme as pure functions over values: no I/O, no clock, no randomness, no floats.

Start with `decide.apply`: it turns one fact or command into point events. `evolve` is the only module
that changes an account; `facts` and `events` are the contracts; each earning rule has a file of its name.
"""
