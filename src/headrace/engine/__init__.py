"""The one loop: `cycle.step`, its journal, and replay."""
