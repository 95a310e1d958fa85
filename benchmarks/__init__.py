"""Measurements. None of them asserts anything: figures depend on the machine."""
