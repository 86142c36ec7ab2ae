"""Train decoders: find and read runs, train linear decoders and networks."""
