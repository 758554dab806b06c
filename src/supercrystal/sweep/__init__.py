"""Sweeps: many studies over a signac data space, their operations, and the one table that they give.

Reading order: `specification` (sweep.toml), `points` (its state points), `space` (the data space on disk), `operations`
(what is done with one job), `execution` (one job under its lock), `runner` (many jobs), `status`, `collect`, `figures`.
"""
