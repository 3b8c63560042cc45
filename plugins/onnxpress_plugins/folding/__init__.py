"""What moves into the weights beside it: BatchNormalization, affine operators, padding."""
