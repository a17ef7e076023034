#!/bin/sh
# Makes the locks anew: what a worker installs (run.txt) and what the demo, tests and benchmarks add (dev.txt).
# Hashed, and without the name of any registry. Needs pip-tools; `make lock` calls it.
set -eu
cd "$(dirname "$0")/.."
lock() { pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-header --no-annotate \
  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options "$@" pyproject.toml; }
lock --output-file requirements/run.txt
lock --extra analysis --extra demo --extra dev --constraint requirements/run.txt --output-file requirements/dev.txt
