"""What makes a converted graph fit to leave: names, dimensions, order, and the gate."""
