"""Open a slide by OpenSlide in a process of its own, which a strange file may end.

Run by path, so that nothing of the package is imported. Writes one line of JSON.
"""

from __future__ import annotations

import json
import sys

MEMORY = 3 * 2**30
AREA = 64


def main(path: str) -> dict[str, str | None]:
    """Return the vendor that OpenSlide recognises, and why it cannot read the file, if so."""
    import openslide

    vendor = openslide.OpenSlide.detect_format(path)
    if vendor in (None, "generic-tiff"):
        return {"vendor": None, "error": None}
    try:
        with openslide.OpenSlide(path) as slide:
            for level, (width, height) in enumerate(slide.level_dimensions):
                factor = slide.level_downsamples[level]
                x, y = int(width // 2 * factor), int(height // 2 * factor)
                slide.properties.get("openslide.mpp-x")
                if not _reads(slide, (x, y), level):
                    break  # a corrupt tile is no reason to refuse the slide
        return {"vendor": vendor, "error": None}
    except openslide.OpenSlideError as error:
        return {"vendor": vendor, "error": str(error)[:500]}


def _reads(slide: object, at: tuple[int, int], level: int) -> bool:
    import openslide

    try:
        slide.read_region(at, level, (AREA, AREA))  # type: ignore[attr-defined]
    except openslide.OpenSlideError:
        return False
    return True


if __name__ == "__main__":
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, ValueError, OSError):
        pass  # Windows has no such limit
    sys.stdout.write(json.dumps(main(sys.argv[1])))
