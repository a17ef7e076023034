"""`python -m loyalty_stream.cli` is `loyalty-stream`."""

from loyalty_stream.cli.entry import main

main()
