"""Training: adapters on any installed model, and the built-in mini model itself."""
