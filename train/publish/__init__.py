"""Models and the app -> repositories of the Hub."""
