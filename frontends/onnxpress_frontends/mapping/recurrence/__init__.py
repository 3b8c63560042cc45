"""Loops that are recurrent layers, recognised by the algebra of one step and written as LSTM, GRU or RNN nodes."""
