"""Which of its options each layer becomes."""
