"""What Keras 2 wrote and computed, recorded once, as Keras 2 itself cannot be installed beside Keras 3."""
