"""The steps that change the database's shape, run by ``Database.migrate``."""
