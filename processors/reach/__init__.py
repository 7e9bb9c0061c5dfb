"""Whether and when a message may reach a person: the app's preferences, and quiet hours. Features share it."""
