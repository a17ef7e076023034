"""The edge: bytes to checked facts and back, dead letters, stored accounts, schemas. It knows no broker."""
