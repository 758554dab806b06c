"""How nanocrystals become particles and forces, one module a tier."""
