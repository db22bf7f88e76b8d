"""Gen2 Studio: offline desktop editor that paints, masks and stylizes video with local generators."""

__version__ = "0.2.0"

import os

# NumPy's matrix library starts a spinning thread for every core, while decoding, tracking and models bring threads of
# their own: on two cores carrying a matte took half as long again. Its matrices here are small.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
