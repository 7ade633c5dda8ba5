"""Clinical facts from a record: pure functions of the record, the knowledge and a day; no HTTP and no clock."""
