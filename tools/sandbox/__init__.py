"""The CDS Hooks sandbox beside this service: a client by other authors."""
