"""What layers see and give, over the samples of a data set."""
