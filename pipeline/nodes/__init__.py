"""The nodes of the graph before decoding, one in each file: filters, references, envelopes, alignment."""
