"""HTTP: one module per group of addresses; `cds_service.app` puts them together."""
