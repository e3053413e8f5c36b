"""Adapters to the outside: Postgres, Valkey, brokers, object store, mail, HTTP, telemetry."""
