"""Small operators put together: what they compute is read as algebra, whatever order they come in."""
