"""What tests of every folder build with: FHIR JSON, spoilt calls, a running service."""
