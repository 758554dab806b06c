"""Pair energies and forces as pure functions of the centre distance; nm in, kT out. No engine is imported here."""
