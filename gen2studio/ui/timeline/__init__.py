"""The timeline: custom painted, virtualised by sorted arrays per track."""
