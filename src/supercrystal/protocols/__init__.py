"""What is done to the nanocrystals: each protocol turns physical settings into a geometry and a schedule."""
