"""Self-assembly of ligand-capped nanocrystals into superlattices.

Lengths are in nanometres and energies in kT at the study's temperature everywhere outside the engine adapters.
Import the rooms you need (``supercrystal.packing``, ``supercrystal.structure`` …): this file imports none of them,
so that ``supercrystal --help`` stays instant.
"""

__version__ = "0.1.0"
