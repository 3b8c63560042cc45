"""Backend ``savedmodel``: folders that TensorFlow serves and trains, and the way back of what it has trained."""
