"""A small stream engine on Faust and Kafka: stages, partition tasks, transactions, tables, restore, ticks.

It knows nothing of loyalty. Start with `stage` (what an application gives), `task` (what the engine does
with it) and `log` (the port through which the task reads and writes, with two implementations).
"""
