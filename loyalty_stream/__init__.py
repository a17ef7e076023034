"""loyalty_stream: an event-sourced stream processor that runs a points programme. Start with README.md."""

__version__ = "0.1.0"
