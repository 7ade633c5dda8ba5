"""The page on which an engineer makes a call as an EHR does."""
