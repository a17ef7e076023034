"""The command line: `loyalty-stream --help`. Commands read options, call the application and print its answer.

They must not hold work of their own: what they do is in `loyalty_stream.app`.
"""

from loyalty_stream.cli.entry import main

__all__ = ["main"]
