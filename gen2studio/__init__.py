"""Gen2 Studio: offline desktop editor that paints, masks and stylizes video with local generators."""

__version__ = "0.2.0"
