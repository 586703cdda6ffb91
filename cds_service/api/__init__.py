"""HTTP: one module per group of endpoints; `cds_service.app` puts them together."""
