"""Content photos: pack them into shards, stream them from shards or a folder."""
