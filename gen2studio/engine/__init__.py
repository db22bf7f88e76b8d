"""The engine contract and its queue: frozen requests in, events with a job id out. No Qt, no torch."""
