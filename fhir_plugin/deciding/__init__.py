"""Facts held against criteria and protocols. Pure: knows no resource, no clock and no network."""
