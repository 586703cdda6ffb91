"""What tests of every folder use: FHIR JSON, damaged calls, a running service."""
