"""Moving in: a person comes from another server, with the archive that they took out there."""
