"""What tidies a graph without a thought for the target: constants, shapes, identities, duplicates."""
