"""A program of its own that downloads one entry: to be killed, or to be given a disk that is full.

    python -m tests.models.download_child ENDPOINT REPO ID [LARGEST]

``GEN2STUDIO_HOME`` says where. ``LARGEST`` is the most bytes that the system lets it write into one file. Prints the
state it ended in and the kind of its problem.
"""

from __future__ import annotations

import resource
import sys

from gen2studio.models.downloads import Downloads
from gen2studio.models.hub_settings import HubSettings, HubSettingsFile
from gen2studio.models.storage import ModelStore
from tests.models.hub_entries import QUICK, accepted, entry


def main(endpoint: str, repo: str, name: str, largest: str = "") -> None:
    settings = HubSettingsFile()
    settings.save(HubSettings(endpoint=endpoint, proxy="none", reserve=0, reuse_hub_cache=False))
    if largest:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(largest), resource.RLIM_INFINITY))
    queue = Downloads(ModelStore(settings), settings, token=lambda: "", patience=QUICK)
    queue.start(accepted(queue, entry(name, repo)))
    queue.wait()
    ended = queue.downloads()[0]
    sys.stdout.write(f"{ended.state.value} {ended.kind}\n{ended.problem}\n{ended.remedy}\n")
    queue.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
