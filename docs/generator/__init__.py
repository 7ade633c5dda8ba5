"""Makes the pages of the documentation site: the written ones, and the reference from the data and the models."""
