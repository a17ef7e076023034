"""The oracle: the programme as DOMAIN.md and EVENTS.md tell it, as plainly as possible, and slow.

It shares no code with the domain; of the package it knows the types of facts and rules, nothing else.
"""
