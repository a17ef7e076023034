"""The whole history replayed under other rules (docs/time-machine.md).

`turns` brings the history into the order in which the ledger applied it; `replay` decides it again, customer by
customer; `owners` serves what is limited across customers; `passes` runs both on all cores until their answers agree;
`difference` compares with what was.
"""
