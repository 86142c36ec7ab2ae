"""The nodes of the graph before decoding, one per file: filters, references, envelopes, alignment."""
