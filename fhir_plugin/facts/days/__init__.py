"""On which days a drug was taken, from orders, dispenses and statements."""
