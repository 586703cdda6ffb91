"""What the tests of every folder build with: FHIR JSON, damaged calls, a running service."""
