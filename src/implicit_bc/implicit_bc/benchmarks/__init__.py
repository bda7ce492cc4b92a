"""What `ibc bench` measures of this package; every figure of docs/benchmarks.md comes from here."""
