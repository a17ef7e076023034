"""The application: settings, topics, the ledger stage on the engine, agents, worker, metrics, commands' work."""
