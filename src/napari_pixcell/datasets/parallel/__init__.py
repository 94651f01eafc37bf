"""A dataset made by several processes: chunks of pairs, workers, shards, and joined parts."""
