"""Analytic packing models: what the sizes of cores and ligands alone say about spacing and phase."""
