"""On which days a drug was taken, from orders, dispenses and statements. Knows exposures; no resource and no trial."""
