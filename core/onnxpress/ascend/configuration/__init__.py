"""AMCT's configuration of a quantisation, in its two forms: the JSON file, and the simplified protobuf text."""
