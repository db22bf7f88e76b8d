"""The running program without widgets. QtCore and QtGui only."""
