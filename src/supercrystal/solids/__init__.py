"""Crystals as competitors: energy, relaxation, phonons, free energy, and which of the candidates is lowest."""
