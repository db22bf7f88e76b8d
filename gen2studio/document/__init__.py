"""What is saved and undone: frozen values and pure functions over them. Imports only core."""
