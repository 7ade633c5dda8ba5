"""The record of shown cards, feedback and rule counts. Holds nothing that identifies a patient or a user."""
