"""How good, how fast and how large a model is: compared, timed, looked into."""
