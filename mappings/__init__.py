"""What we know: reviewed clinical data, and in ``schema`` its loader. Imports neither of the other two packages."""
