"""Faceted particles in HOOMD-blue: its ALJ potential, set up so that only the contacts act and torques are right.

Two things differ from ALJ as its documentation proposes it.

- The central sizes are those of the contacts, not the inspheres. The central term then has no reach outside the shells,
  where its force is not the gradient of its energy.
- The neighbour list holds each pair twice. With a list of half the pairs, HOOMD-blue's own choice on a CPU, the torque on
  the second particle of a pair is wrong for corners of the second on a face of the first (4.8.2: the arm of that force
  is off by the vector between the centres), and angular momentum is not conserved. The torque on the first is right,
  and with all pairs in the list every particle is the first once. On a GPU lists are always whole.
"""

from __future__ import annotations

import itertools
from typing import Any

from supercrystal.system import System

#: Neighbour-list margin over the diameter of the smallest site; a pair in the margin costs little.
BUFFER = 0.35


def force(system: System) -> Any:
    """The contacts as a pair force with a neighbour list of its own, or None without polyhedra."""
    import hoomd

    if not system.polyhedra:
        return None

    class Contacts(hoomd.md.pair.aniso.ALJ):
        """ALJ over a list of all pairs."""

        def _attach_hook(self) -> None:
            super()._attach_hook()
            from hoomd.md import _md

            self.nlist._cpp_obj.setStorageMode(_md.NeighborList.storageMode.full)

    found = Contacts(hoomd.md.nlist.Cell(buffer=BUFFER * system.length))
    for types in itertools.combinations_with_replacement(system.types, 2):
        contact = system.contacts.get(types) or system.contacts.get(types[::-1])
        found.params[types] = {
            "epsilon": contact.epsilon if contact else 0.0,
            "sigma_i": contact.sigma if contact else 1.0,
            "sigma_j": contact.sigma if contact else 1.0,
            "contact_ratio_i": 1.0,
            "contact_ratio_j": 1.0,
            "alpha": 2 if contact and contact.attractive else 0,
            "average_simplices": True,
        }
        found.r_cut[types] = contact.r_cut if contact else 0.0
    for name in system.types:
        facets = system.polyhedra[name].facets if name in system.polyhedra else None
        found.shape[name] = {
            "vertices": [tuple(map(float, vertex)) for vertex in facets.vertices] if facets else [],
            "faces": [list(face) for face in facets.faces] if facets else [],
            "rounding_radii": (0.0, 0.0, 0.0),
        }
    return found
