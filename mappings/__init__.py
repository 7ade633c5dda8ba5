"""What we know: reviewed clinical data and the small code that loads it. Imports nothing of ours."""
