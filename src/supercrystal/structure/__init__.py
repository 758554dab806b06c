"""Who is fcc, hcp, bcc, sc or disordered, and at which spacing.

freud is imported inside functions: it takes a second.
"""
