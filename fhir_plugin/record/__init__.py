"""From bytes to a record: FHIR views, decoding, dates, subjects. Knows no network and nothing of the knowledge."""
