"""Decide what loading or unloading takes, in kmod's exact order."""

from __future__ import annotations

from lkm.resolve.loading import plan_load, plan_load_file, plan_loads
from lkm.resolve.unloading import plan_unload

__all__ = ["plan_load", "plan_load_file", "plan_loads", "plan_unload"]
