"""Small programs for people; README.md lists them."""
