"""Clinical facts, as functions of a record, the knowledge and a day. Knows no criterion, no clock and no network."""
