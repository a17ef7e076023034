import pytest
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.partitioner import murmur2 as reference
from hypothesis import given
from hypothesis import strategies as st

from loyalty_stream.wire.partitioning import murmur2, partition_of


@given(st.binary(max_size=300))
def test_it_agrees_with_the_clients(key):
    assert murmur2(key) == reference(key) & 0xFFFFFFFF
    partitions = list(range(12))
    assert partition_of(key, 12) == DefaultPartitioner()(key, partitions, partitions)


# From the tests of Apache Kafka's Utils.murmur2.
@pytest.mark.parametrize(
    ("key", "hashed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_it_agrees_with_kafka(key, hashed):
    assert murmur2(key) == hashed & 0xFFFFFFFF
