"""Histories to analyse: the random ones of the oracle's tests."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "oracle"))
sys.path.append(str(Path(__file__).parent))
