"""What the programme did, for analysts: exports to Parquet, and queries over them.

It needs the extra `analysis`. It must not decide anything about points: that is the domain's.
"""
