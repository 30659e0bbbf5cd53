"""Reference data of the district: places, units, enterprises, glossary."""

import asyncio

from gateway.module import Module
from gateway.runtime import Runtime
from workorders.directories.reference import load_reference
from workorders.extraction import warm_up


class ReferenceModule(Module):
    """Loads the files that callers' words are matched against."""

    name = "reference"

    async def open(self, runtime: Runtime) -> None:
        """Provide the `Reference`."""
        files = runtime.settings.reference
        reference = await asyncio.to_thread(
            load_reference, files.places, files.units, files.enterprises, files.glossary, files.taxonomy
        )
        await asyncio.to_thread(warm_up, reference)
        runtime.provide(reference)
