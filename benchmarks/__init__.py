"""Benchmarks. They assert nothing, because figures depend on the machine."""
