"""The features: a folder for each, and what they share beside them."""
