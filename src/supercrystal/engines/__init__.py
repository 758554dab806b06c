"""Adapters to molecular dynamics engines. The only rooms that import an engine, and only inside functions."""
