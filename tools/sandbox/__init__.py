"""The CDS Hooks sandbox beside this service: a client that nobody here wrote."""
