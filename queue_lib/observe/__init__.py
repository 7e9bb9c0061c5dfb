"""What is told to the outside: events, and the log made of them."""
