"""The live-figure engine: what lets a picture follow a slider; start with ``playground.py``."""
