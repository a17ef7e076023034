"""Benchmarks: programs that measure the real thing on a real Kafka and print ratios. Never a test."""
