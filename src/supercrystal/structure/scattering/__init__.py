"""What a diffractometer would see of a superlattice: structure factors, SAXS, spots, GISAXS, stacks of plates.

`amplitudes` turns positions into scattering amplitudes by non-uniform FFT, exactly and for any box. `powder` averages
them over directions, with `form_factors` and `contrast` as SAXS; `pattern` cuts them down a zone axis; `indexing` and
`cell` read phase and lattice vectors back; `gisaxs` adds the substrate; `multilayer` is the diffraction of stacked
plates, in closed form.

One convention everywhere: the amplitude of the species s is F_s(q) = Σ_j exp(i q·r_j), a wave vector carries its factor
2π, and partial structure factors are those of Ashcroft and Langreth, S_ab = Re(F_a F_b*) / √(N_a N_b), so that every
S_aa tends to 1 and every S_ab (a ≠ b) to 0 at large q.
"""
