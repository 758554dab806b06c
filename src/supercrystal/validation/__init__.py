"""Results that nobody here chose, reproduced: one module a physics noun, each with a table `CHECKS` of its checks."""
